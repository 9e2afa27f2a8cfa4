"""A simulated town that pays with the token: people, shops, employers, and thieves. Amounts are in cents.

Honest people buy in their shops, pay friends and rent, sometimes pay somebody new a lot, and sometimes open a savings account and move
half of what they have. Shops pay their supplier most of what they took. Employers pay wages to everybody within an hour.

Thieves have three tricks, which are the kinds 1 to 3 of a transfer (0 is honest):
1 takeover: most of a victim's balance goes to new accounts at once;
2 splitting: the same in 12 to 40 pieces, within three hours or, by patient thieves, within up to two days;
3 mule: an account that was just paid by a theft passes it on.
"""

import heapq
from dataclasses import dataclass

import numpy as np

from ledger import HOUR_MS, Ledger

HONEST, TAKEOVER, SPLITTING, MULE = range(4)
DAY_MS = 24 * HOUR_MS
MINUTE_MS = 60_000
START_MS = 1_767_225_600_000


@dataclass
class Event:
    """One line of the stream. Money that is issued comes from nobody and has no features."""

    time_ms: int
    sender: str | None
    to: str
    amount: int
    kind: int
    features: list[int] | None
    theft: int


class Town:
    """Runs the simulation."""

    def __init__(self, seed: int, people: int, days: int, thefts: int) -> None:
        self.random = np.random.default_rng(seed)
        self.ledger = Ledger()
        self.queue: list = []
        self.events: list[Event] = []
        self.count = 0
        self.end = START_MS + days * DAY_MS
        self.people = [f"person{i}" for i in range(people)]
        self.shops = [f"shop{i}" for i in range(max(4, people // 8))]
        self.employers = [f"employer{i}" for i in range(max(1, people // 25))]
        self.settle(days)
        for theft in range(1, thefts + 1):
            # Half of the thieves opened their accounts long before.
            mules = [f"mule{theft}_{i}" for i in range(int(self.random.integers(1, 5)))]
            if self.random.random() < 0.5:
                for mule in mules:
                    self.at(self.between(START_MS, START_MS + 2 * DAY_MS), self.issue, mule, int(self.between(500, 50_000)))
            # From the third day on there is some history.
            self.at(self.between(START_MS + 2.5 * DAY_MS, self.end - 4 * HOUR_MS), self.steal, theft, mules)
        self.run()

    # Time and chance.

    def at(self, time: float, action, *arguments) -> None:
        self.count += 1
        heapq.heappush(self.queue, (int(time), self.count, action, arguments))

    def between(self, low: float, high: float) -> float:
        return float(self.random.uniform(low, high))

    def pick(self, names: list[str]) -> str:
        return names[int(self.random.integers(len(names)))]

    def run(self) -> None:
        while self.queue:
            time, _, action, arguments = heapq.heappop(self.queue)
            if time < self.end:
                action(time, *arguments)

    # Money.

    def issue(self, now: int, to: str, amount: int) -> None:
        self.ledger.credit(now, to, amount)
        self.events.append(Event(now, None, to, amount, HONEST, None, 0))

    def pay(self, now: int, sender: str, to: str, amount: float, kind: int = HONEST, theft: int = 0) -> int:
        account = self.ledger.accounts.get(sender)
        amount = min(int(amount), account.balance if account else 0)
        if amount <= 0 or sender == to:
            return 0
        features = self.ledger.transfer(now, sender, to, amount)
        self.events.append(Event(now, sender, to, amount, kind, features, theft))
        return amount

    def balance(self, name: str) -> int:
        account = self.ledger.accounts.get(name)
        return account.balance if account else 0

    # Honest life.

    def settle(self, days: int) -> None:
        for i, name in enumerate(self.employers):
            self.at(START_MS + i, self.issue, name, 100_000_000)
        for i, name in enumerate(self.shops):
            self.at(START_MS + 1_000 + i, self.issue, name, 500_000)
        for i, name in enumerate(self.people):
            # A few move here later.
            late = self.random.random() < 0.15
            opened = START_MS + 2_000 + i + (self.between(0, days * 0.6 * DAY_MS) if late else 0)
            self.at(opened, self.issue, name, int(self.between(80_000, 600_000)))
            favourites = [self.pick(self.shops) for _ in range(3)]
            friends = [self.pick(self.people) for _ in range(3)]
            for day in range(days):
                morning = max(opened, START_MS + day * DAY_MS)
                for _ in range(int(self.random.poisson(1.8))):
                    self.at(self.between(morning, morning + 0.9 * DAY_MS), self.buy, name, favourites, friends)
            for _ in range(int(self.random.poisson(days / 12))):
                self.at(self.between(opened, self.end), self.pay_somebody_new, name)
            if self.random.random() < 0.12:
                self.at(self.between(opened + DAY_MS, self.end), self.save, name)
        for day in range(days):
            evening = START_MS + day * DAY_MS + 20 * HOUR_MS
            for name in self.shops:
                self.at(evening + self.between(0, HOUR_MS), self.supply, name)
            for i, name in enumerate(self.employers):
                if day % 4 == 1:
                    self.at(START_MS + day * DAY_MS + 9 * HOUR_MS, self.wages, name, self.people[i :: len(self.employers)])

    def buy(self, now: int, name: str, favourites: list[str], friends: list[str]) -> None:
        chance = self.random.random()
        to = self.pick(favourites) if chance < 0.7 else self.pick(friends) if chance < 0.88 else self.pick(self.shops)
        self.pay(now, name, to, self.random.lognormal(7.9, 0.9))

    def pay_somebody_new(self, now: int, name: str) -> None:
        to = self.pick(self.people) if self.random.random() < 0.6 else f"dealer{int(self.random.integers(1_000_000))}"
        self.pay(now, name, to, self.between(0.05, 0.5) * self.balance(name))

    def save(self, now: int, name: str) -> None:
        self.pay(now, name, f"savings_of_{name}", self.between(0.3, 0.6) * self.balance(name))

    def supply(self, now: int, name: str) -> None:
        self.pay(now, name, "supplier", max(0, self.balance(name) - 400_000) * self.between(0.5, 0.95))

    def wages(self, now: int, name: str, staff: list[str]) -> None:
        for i, person in enumerate(staff):
            if person in self.ledger.accounts:
                self.at(now + i * 40_000, self.pay, name, person, self.between(60_000, 140_000))

    # Theft.

    def steal(self, now: int, theft: int, mules: list[str]) -> None:
        rich = [name for name in self.people if self.balance(name) > 50_000]
        if not rich:
            return
        victim = self.pick(rich)
        loot = self.between(0.7, 1.0) * self.balance(victim)
        if self.random.random() < 0.5:
            pieces, span, kind = int(self.random.integers(1, 4)), 15 * MINUTE_MS, TAKEOVER
        else:
            hours = 3.0 if self.random.random() < 0.5 else self.between(6, 48)
            pieces, span, kind = int(self.random.integers(12, 41)), hours * HOUR_MS, SPLITTING
        times = sorted(self.between(now, now + span) for _ in range(pieces))
        parts = self.random.dirichlet(np.full(pieces, 8.0))
        for time, part in zip(times, parts):
            self.at(time, self.pay, victim, self.pick(mules), loot * float(part), kind, theft)
        for mule in mules:
            for _ in range(int(self.random.integers(1, 4))):
                self.at(times[-1] + self.between(2, 60) * MINUTE_MS, self.pass_on, mule, theft)

    def pass_on(self, now: int, mule: str, theft: int) -> None:
        to = f"exchange{int(self.random.integers(3))}" if self.random.random() < 0.5 else f"last{theft}"
        self.pay(now, mule, to, self.between(0.6, 1.0) * self.balance(mule), MULE, theft)


def transfers(town: Town) -> tuple[np.ndarray, np.ndarray]:
    """Features as real numbers, and kinds."""
    events = [event for event in town.events if event.features]
    rows = np.array([event.features for event in events], dtype=np.float64) / 256
    return rows, np.array([event.kind for event in events])
