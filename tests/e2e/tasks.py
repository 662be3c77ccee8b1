"""The two tasks that every agent is given: a question about a small project, and its failing tests to mend."""

from __future__ import annotations

EXPLAIN_TASK = "Read this project and explain to me what the function total in shop/prices.py does. Do not change any file."
FIX_TASK = "The tests of this project fail. Find out why, fix the code in shop/prices.py, and run the tests until they pass."

PRICES = '''"""What a basket costs."""


def total(amounts):
    """The sum of all amounts."""
    result = 0
    for amount in amounts:
        result = result + amount
    return result


def discounted(price, percent):
    """The price after taking off so many percent."""
    return price - price * percent / 100


def is_free_of_postage(price, limit):
    """Whether the price reaches the limit."""
    return price >= limit
'''
# Two slips in two places: one edit is not enough, so that a second edit follows a first.
BROKEN_PRICES = PRICES.replace("result + amount", "result - amount").replace("price >= limit", "price > limit")
TESTS = """import unittest

from shop.prices import discounted, is_free_of_postage, total


class PricesTest(unittest.TestCase):
    def test_total(self):
        self.assertEqual(total([1, 2, 3]), 6)
        self.assertEqual(total([]), 0)

    def test_discounted(self):
        self.assertEqual(discounted(200, 10), 180)

    def test_postage(self):
        self.assertTrue(is_free_of_postage(50, 50))
        self.assertFalse(is_free_of_postage(49, 50))


if __name__ == "__main__":
    unittest.main()
"""
AROUND = {
    "README.md": "# shop\n\nA small shop. Run the tests with `python3 -m unittest`.\n",
    "shop/__init__.py": "",
    "tests/__init__.py": "",
    "tests/test_prices.py": TESTS,
}
WHOLE = {**AROUND, "shop/prices.py": PRICES}
BROKEN = {**AROUND, "shop/prices.py": BROKEN_PRICES}
