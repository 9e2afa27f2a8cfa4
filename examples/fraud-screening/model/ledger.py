"""The history that the contract keeps and the features it computes from it, in Python integers: ../src/history.rs.

`../tests/scenario.rs` sends a stream of simulated transfers through the contract and compares every feature with the ones that
this file computed.
"""

from dataclasses import dataclass, field

HOUR_MS = 3_600_000
FRACTION_BITS = 8
FEATURES = (
    "amount",
    "share",
    "sent_hour",
    "count_hour",
    "sent_day",
    "count_day",
    "fresh_day",
    "paid_before",
    "age",
    "received_day",
    "recipient_age",
    "usual",
    "pause",
)
COUNT_LIMIT = 1_000


def log2(n: int) -> int:
    """log2(1 + n) with 8 fraction bits, rounded down, from a mantissa of 31 bits."""
    n += 1
    whole = n.bit_length() - 1
    mantissa = (n << 31) >> whole
    result = whole
    for _ in range(FRACTION_BITS):
        mantissa = mantissa * mantissa >> 31
        bit = mantissa >> 32
        mantissa >>= bit
        result = result << 1 | bit
    return result


@dataclass
class Account:
    """What is remembered of one account."""

    since_ms: int
    balance: int = 0
    paid_sum: int = 0
    paid_count: int = 0
    last_ms: int = 0
    # Hour: [transfers, of them to somebody never paid before, sent, received].
    hours: dict[int, list[int]] = field(default_factory=dict)

    def hour(self, now: int) -> list[int]:
        hour = now // HOUR_MS
        for old in [old for old in self.hours if old + 24 < hour]:
            del self.hours[old]
        return self.hours.setdefault(hour, [0, 0, 0, 0])

    def window(self, now: int, hours: int) -> list[int]:
        first = now // HOUR_MS - hours
        return [sum(bucket[i] for hour, bucket in self.hours.items() if hour >= first) for i in range(4)]


class Ledger:
    """Accounts by name, and what each has paid to each."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.paid: dict[tuple[str, str], int] = {}

    def credit(self, now: int, to: str, amount: int) -> None:
        account = self.accounts.setdefault(to, Account(since_ms=now, last_ms=now))
        account.balance += amount
        account.hour(now)[3] += amount

    def transfer(self, now: int, sender: str, to: str, amount: int) -> list[int]:
        """Moves the amount; returns the features of the transfer."""
        account = self.accounts[sender]
        before = self.paid.get((sender, to), 0)
        assert 0 < amount <= account.balance and sender != to
        bucket = account.hour(now)
        bucket[0] += 1
        bucket[1] += before == 0
        bucket[2] += amount
        hour, day = account.window(now, 1), account.window(now, 24)
        recipient = self.accounts.get(to)
        count = lambda n: min(n, COUNT_LIMIT) << FRACTION_BITS
        features = [
            log2(amount),
            (amount << FRACTION_BITS) // account.balance,
            log2(hour[2]),
            count(hour[0]),
            log2(day[2]),
            count(day[0]),
            count(day[1]),
            log2(before),
            log2((now - account.since_ms) // 60_000),
            log2(day[3]),
            log2((now - recipient.since_ms) // 60_000 if recipient else 0),
            log2(account.paid_sum // account.paid_count if account.paid_count else 0),
            log2((now - account.last_ms) // 1_000),
        ]
        account.last_ms = now
        account.balance -= amount
        account.paid_sum += amount
        account.paid_count += 1
        self.paid[sender, to] = before + amount
        self.credit(now, to, amount)
        return features
