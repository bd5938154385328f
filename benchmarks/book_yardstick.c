/* A limit order book close to what the machine can do: the yardstick of `make bench`, not used by the package.
 *
 * It knows price-time priority and nothing else: no checks, no participants, no times in force, ids dense from 0,
 * prices within the ladder. The trades must equal those of the other books on the standard stream.
 *
 * Layout: one array of 16-byte cells. The first `levels` cells are the sentinels of the price levels, the rest are
 * orders; a level is a circular doubly linked list through its sentinel, oldest order first. Non-empty levels
 * stand in a bitmap of three stages (64^3 levels at most), in which the next level is found with ctz/clz.
 *
 *   cc -O3 -march=native -shared -fPIC -o book_yardstick.so book_yardstick.c
 */
#include <stdint.h>
#include <stdlib.h>

enum { LIMIT = 0, CANCEL = 2, REDUCE = 3 };
enum { BID = 0, ASK = 1 };

typedef struct { int32_t kind, id, side, price, quantity; } message;
typedef struct { int32_t taker, maker, price, quantity; } trade;

typedef struct {
    uint32_t prev, next;
    uint32_t level;      /* the order's sentinel */
    int32_t quantity;    /* lots; on a sentinel the volume of the level */
} cell;

typedef struct {
    cell *cells;
    int32_t *id_of;      /* cell -> order id */
    uint32_t *cell_of;   /* order id -> cell, 0 if not resting */
    uint64_t *stage[3];
    int32_t levels, first_price, best[2];
    uint32_t free_cell;
} yardstick;

static void *zeros(size_t count, size_t size) {
    size_t bytes = (count * size + 63) & ~(size_t)63;
    char *memory = aligned_alloc(64, bytes);
    for (size_t i = 0; memory && i < bytes; i++) memory[i] = 0;
    return memory;
}

yardstick *yardstick_new(int32_t levels, int32_t orders, int32_t ids, int32_t first_price) {
    yardstick *book = zeros(1, sizeof *book);
    uint32_t cells = (uint32_t)(levels + orders);
    book->cells = zeros(cells, sizeof(cell));
    book->id_of = zeros(cells, sizeof(int32_t));
    book->cell_of = zeros((size_t)ids, sizeof(uint32_t));
    for (int k = 0; k < 3; k++) book->stage[k] = zeros(((size_t)levels >> (6 * (k + 1))) + 1, 8);
    for (uint32_t i = 0; i < (uint32_t)levels; i++) book->cells[i].prev = book->cells[i].next = i;
    for (uint32_t i = (uint32_t)levels; i < cells; i++) book->cells[i].next = i + 1;
    book->levels = levels;
    book->first_price = first_price;
    book->free_cell = (uint32_t)levels;
    book->best[BID] = -1;
    book->best[ASK] = levels;
    return book;
}

void yardstick_free(yardstick *book) {
    for (int k = 0; k < 3; k++) free(book->stage[k]);
    free(book->cells); free(book->id_of); free(book->cell_of); free(book);
}

static inline void mark(const yardstick *b, int32_t level) {
    b->stage[0][level >> 6] |= 1ull << (level & 63);
    b->stage[1][level >> 12] |= 1ull << ((level >> 6) & 63);
    b->stage[2][level >> 18] |= 1ull << ((level >> 12) & 63);
}

static inline void unmark(const yardstick *b, int32_t level) {
    if (b->stage[0][level >> 6] &= ~(1ull << (level & 63))) return;
    if (b->stage[1][level >> 12] &= ~(1ull << ((level >> 6) & 63))) return;
    b->stage[2][level >> 18] &= ~(1ull << ((level >> 12) & 63));
}

/* Lowest marked level at or above `level`; `levels` if there is none. */
static inline int32_t above(const yardstick *b, int32_t level) {
    if (level >= b->levels) return b->levels;
    uint64_t word = b->stage[0][level >> 6] >> (level & 63);
    if (word) return level + __builtin_ctzll(word);
    int32_t i = (level >> 6) + 1;
    if (i > b->levels >> 6) return b->levels;
    word = b->stage[1][i >> 6] >> (i & 63);
    if (!word) {
        int32_t j = (i >> 6) + 1;
        if (j > b->levels >> 12) return b->levels;
        word = b->stage[2][j >> 6] >> (j & 63);
        if (!word) return b->levels;
        j += __builtin_ctzll(word);
        i = j << 6;
        word = b->stage[1][j];
    }
    i += __builtin_ctzll(word);
    return (i << 6) + __builtin_ctzll(b->stage[0][i]);
}

/* Highest marked level at or below `level`; -1 if there is none. */
static inline int32_t below(const yardstick *b, int32_t level) {
    if (level < 0) return -1;
    uint64_t word = b->stage[0][level >> 6] << (63 - (level & 63));
    if (word) return level - __builtin_clzll(word);
    int32_t i = (level >> 6) - 1;
    if (i < 0) return -1;
    word = b->stage[1][i >> 6] << (63 - (i & 63));
    if (!word) {
        int32_t j = (i >> 6) - 1;
        if (j < 0) return -1;
        word = b->stage[2][j >> 6] << (63 - (j & 63));
        if (!word) return -1;
        j -= __builtin_clzll(word);
        i = (j << 6) + 63;
        word = b->stage[1][j];
    }
    i -= __builtin_clzll(word);
    return (i << 6) + 63 - __builtin_clzll(b->stage[0][i]);
}

/* Apply `count` messages; write the trades and return how many. */
int64_t yardstick_run(yardstick *shared, const message *restrict messages, int64_t count, trade *restrict trades) {
    yardstick book = *shared;              /* a local copy keeps the hot fields in registers */
    yardstick *b = &book;
    cell *restrict cells = b->cells;
    int32_t *restrict id_of = b->id_of;
    uint32_t *restrict cell_of = b->cell_of;
    trade *next_trade = trades;

    for (int64_t i = 0; i < count; i++) {
        message m = messages[i];
        if (m.kind == CANCEL) {
            uint32_t c = cell_of[m.id];
            if (!c) continue;
            cell_of[m.id] = 0;
            cell gone = cells[c];
            cells[gone.prev].next = gone.next;
            cells[gone.next].prev = gone.prev;
            cells[c].next = b->free_cell;
            b->free_cell = c;
            cells[gone.level].quantity -= gone.quantity;
            if (gone.next == gone.prev && gone.next == gone.level) {
                int32_t level = (int32_t)gone.level;
                unmark(b, level);
                if (level == b->best[BID]) b->best[BID] = below(b, level - 1);
                else if (level == b->best[ASK]) b->best[ASK] = above(b, level + 1);
            }
        } else if (m.kind == REDUCE) {
            uint32_t c = cell_of[m.id];
            if (!c || m.quantity <= 0 || m.quantity >= cells[c].quantity) continue;
            cells[cells[c].level].quantity -= cells[c].quantity - m.quantity;
            cells[c].quantity = m.quantity;
        } else {
            int32_t price = m.price - b->first_price, left = m.quantity;
            int other = 1 - m.side;
            while (left) {
                int32_t level = b->best[other];
                if (m.side == BID ? level > price : level < price) break;
                uint32_t sentinel = (uint32_t)level, c = cells[sentinel].next;
                while (left && c != sentinel) {
                    int32_t resting = cells[c].quantity, traded = resting < left ? resting : left;
                    *next_trade++ = (trade){m.id, id_of[c], level + b->first_price, traded};
                    left -= traded;
                    cells[sentinel].quantity -= traded;
                    if (traded < resting) { cells[c].quantity = resting - traded; break; }
                    uint32_t after = cells[c].next;
                    cell_of[id_of[c]] = 0;
                    cells[c].next = b->free_cell;
                    b->free_cell = c;
                    cells[sentinel].next = after;
                    cells[after].prev = sentinel;
                    c = after;
                }
                if (cells[sentinel].next != sentinel) break;
                unmark(b, level);
                b->best[other] = other == ASK ? above(b, level + 1) : below(b, level - 1);
            }
            if (!left) continue;
            uint32_t c = b->free_cell, sentinel = (uint32_t)price, tail = cells[sentinel].prev;
            b->free_cell = cells[c].next;
            if (tail == sentinel) mark(b, price);
            cells[c] = (cell){tail, sentinel, sentinel, left};
            cells[tail].next = c;
            cells[sentinel].prev = c;
            cells[sentinel].quantity += left;
            id_of[c] = m.id;
            cell_of[m.id] = c;
            if (m.side == BID ? price > b->best[BID] : price < b->best[ASK]) b->best[m.side] = price;
        }
    }
    *shared = book;
    return next_trade - trades;
}
