"""The market: exchange, clock, order flow, participants; one compiled simulator that everything else drives."""
