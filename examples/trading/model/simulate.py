"""Prices whose volatility changes, and a pool that they are traded against, in floats. The contract does the same in integers.

The logarithm of the volatility of a block is itself a mean-reverting walk, as in stochastic volatility models: calm and storms last for some dozens
of blocks. Returns are normal with it.

In each block first somebody trades for reasons of their own, less the higher the fee, and then an arbitrageur brings the pool back
to the price outside, as far as the fee lets it pay.
"""

from dataclasses import dataclass

import numpy as np

WINDOW = 16
# Volatility of a calm block, and of the volatility.
CALM, PERSISTENCE, ROUGHNESS = 0.0012, 0.985, 0.2
# Somebody would trade this share of the pool's native side if it cost nothing, and less by a factor e for each `COST_SCALE` that it costs:
# the fee, and half of what the trade itself moves the price.
TRADE, COST_SCALE = 0.01, 0.004
GROWTH = 1 / 64


@dataclass
class Path:
    """Prices outside, one a block, and what somebody would like to trade in each: sign and size, as a share."""

    prices: np.ndarray
    wishes: np.ndarray


def path(seed: int, blocks: int) -> Path:
    random = np.random.default_rng(seed)
    log_volatility, returns = 0.0, []
    for _ in range(blocks):
        log_volatility = PERSISTENCE * log_volatility + ROUGHNESS * random.normal()
        returns.append(CALM * np.exp(np.clip(log_volatility, -2, 2.5)) * random.normal())
    # What is outside does not drift away for good.
    log_price = np.cumsum(returns)
    wishes = TRADE * random.lognormal(-0.5, 1.0, blocks) * random.choice([-1.0, 1.0], blocks)
    return Path(100 * np.exp(log_price), wishes)


class Pool:
    """Real and virtual reserves of tokens and native units; the price is native units for a token."""

    def __init__(self, price: float, fee: float, share: float) -> None:
        self.real = [1.0, price]
        self.virtual = [1.0 / share, price / share]
        self.fee, self.share = fee, share
        self.log_price = np.log2(price)
        self.returns = [0.0] * WINDOW
        self.fees = 0.0

    def price(self) -> float:
        return self.virtual[1] / self.virtual[0]

    def observe(self) -> np.ndarray:
        """The price at the end of the block before: what the forecast of this block may use."""
        log_price = np.log2(self.price())
        self.returns = [*self.returns[1:], min(abs(log_price - self.log_price), 0.125)]
        self.log_price = log_price
        return np.array(self.returns)

    def set(self, fee: float, share: float) -> None:
        """The fee of the block, and how much of the virtual reserves is real. The price stays; depth grows slowly."""
        self.fee, self.share = fee, share
        ratio = min(self.real[i] / share / self.virtual[i] for i in range(2))
        ratio = min(ratio, 1 + GROWTH)
        self.virtual = [reserve * ratio for reserve in self.virtual]

    def swap(self, side: int, amount: float, price: float) -> None:
        """Takes `amount` of one side (0 tokens, 1 native units); as much as the other side has."""
        effective = amount * (1 - self.fee)
        out = self.virtual[1 - side] * effective / (self.virtual[side] + effective)
        if out > self.real[1 - side] * 0.999:
            return
        self.virtual[side] += effective
        self.virtual[1 - side] -= out
        self.real[side] += amount
        self.real[1 - side] -= out
        self.fees += amount * self.fee * (price if side == 0 else 1.0)

    def arbitrage(self, price: float) -> None:
        keep = 1 - self.fee
        here = self.price()
        if price * keep > here:
            self.swap(1, self.virtual[1] * (np.sqrt(price * keep / here) - 1) / keep, price)
        elif price < here * keep:
            self.swap(0, self.virtual[0] * (np.sqrt(here * keep / price) - 1) / keep, price)


def run(path: Path, pool: Pool, policy) -> dict:
    """What providers gain, as parts of what they put in: beside a portfolio that always holds as many tokens as the pool did and trades them for
    nothing at the price outside (so that only fees and losses to arbitrage are left), and beside having kept what they put in."""
    seen, rebalanced, before = [], 0.0, path.prices[0]
    for price, wish in zip(path.prices, path.wishes):
        rebalanced += pool.real[0] * (price - before)
        before = price
        returns = pool.observe()
        pool.set(*policy(returns))
        seen.append(returns)
        wanted = abs(wish) * path.prices[0]
        size = wanted * np.exp(-(pool.fee + wanted / pool.virtual[1]) / COST_SCALE)
        pool.swap(1, size, price) if wish > 0 else pool.swap(0, size / price, price)
        pool.arbitrage(price)
    first, last = 2 * path.prices[0], path.prices[-1]
    value = pool.real[0] * last + pool.real[1]
    return {
        "gain": (value - first - rebalanced) / first,
        "beside keeping": value / (last + path.prices[0]) - 1,
        "fees": pool.fees / first,
        "returns": np.array(seen),
    }
