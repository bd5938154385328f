"""The matching rules, numbered. Both books implement them, tests cite them.

`hft_gym.book.reference` is the readable implementation, `hft_gym.book.kernel` (behind
`hft_gym.book.compiled`) the compiled one; a test compares them after every step.

**R1 Units and ranges.** A price is a whole number of ticks in [-2**40, 2**40], a quantity a whole number of lots in
[1, 2**31 - 1], an order id any signed 64-bit integer (in [0, max_id) for a book with dense ids), a participant an
integer in [0, 2**32 - 1]. Where a price is given in currency, a double within four units in the last place of a
multiple of the tick counts as that multiple: 150.95 / 0.01 is 15094.999..., yet 150.95 is tick 15095. A message is
checked before anything changes, in the order kind, order id, side, price, quantity, time in force, room (R12); the
first fault is a typed error that names the value and what is allowed, and the book stays as it was.

**R2 Ids.** A new order must not have the id of a resting order. An id is free again when its order has left the book.

**R3 Priority.** An incoming order meets the opposite side's best price first and, at one price, the oldest order
first: price, then time of arrival.

**R4 Trades.** While an incoming order has volume left and the best opposite price is as good as its own limit (a
market order has no limit), it trades with the first order there: at the resting order's price, in the smaller of the
two quantities. Taker is the incoming order, maker the resting one. One trade is reported for each resting order met.
The book is never crossed or locked.

**R5 Remainder.** What a limit order does not trade rests at the back of the queue of its price (GTC) or is cancelled
(IOC). What a market order does not trade is always cancelled: GTC and IOC mean the same for it.

**R6 Cancel.** A resting order leaves the book. An id that does not rest is an error.

**R7 Reduce.** A resting order's remaining quantity becomes q, 1 <= q <= remaining; it keeps its place. The equal
quantity changes nothing, a larger one is an error (only R8 can increase).

**R8 Modify.** A resting order gets a new price and a new remaining quantity. At its old price and not larger it keeps
its place (as R7). Otherwise it loses its place: it is taken out and enters anew as a GTC limit order with the same
id, side and participant, and trades at once if it crosses (R4). A modification that is refused changes nothing; it
may use the room that the order itself takes (R12).

**R9 Fill-or-kill.** An FOK order trades in full at once or is cancelled untouched (status CANCELLED, not an error).
Volume of the same participant does not count as available (R11), and if the order is killed none of it gives way. A
market order may be FOK.

**R10 Post-only.** A POST_ONLY limit order that could meet the best opposite price is rejected as a whole (status
REJECTED, not an error), whoever owns the order there. Otherwise it rests. A post-only market order is an error.

**R11 Self-trade prevention.** A participant never trades with itself: where R4 would match an incoming order with a
resting one of the same participant, the resting order gives way - it is cancelled, without a trade - and the incoming
one goes on. Participant 0 is anonymous and exempt.

**R12 Room.** A limit order that may rest (GTC, POST_ONLY) needs a free place when it arrives, even if it would then
trade in full: with max_orders resting it is refused. The volume at one price may not exceed 2**32 - 1 lots; an order
that would rest beyond that is refused.

**R13 Message arrays.** ``apply`` works through an array in order. Fields read, by kind: LIMIT all; MARKET all but
price; CANCEL order_id; REDUCE order_id and quantity (the new remaining quantity); MODIFY order_id, price and
quantity. Other fields are ignored. At the first message with a fault (R1) ``MessageError`` names its index, its cause
and the trades so far; that message has no effect, the ones before it stay applied, the ones after it are not looked
at.
"""
