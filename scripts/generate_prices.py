"""Write the price table of the daemon, `daemon/stepfare/providers/prices.json`, from two public tables; or check that it is up to date.

Prices come from the installed package genai-prices, whose arithmetic the tests reproduce; context windows, answer lengths and
capabilities also from litellm's model table (a wheel or its JSON, given as a file; litellm itself is no dependency). The same two
inputs and the same date give the same bytes. A rate that is not a whole number of picodollars per token ends the run, unless it is
named in ROUNDED_UP with its reason.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import sys
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import ROUND_CEILING, Decimal
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

from genai_prices import types as genai
from genai_prices.data_snapshot import get_snapshot

from stepfare.providers.prices import PriceTable

PRICES_FILE = Path(__file__).resolve().parent.parent / "daemon" / "stepfare" / "providers" / "prices.json"
FORMAT = 1
FILE_BYTES_MAX = 400_000

PUSD_PER_TOKEN_OF_USD_PER_MTOK = 1_000_000
PUSD_OF_USD = 1_000_000_000_000
PUSD_PER_ONE_OF_USD_PER_THOUSAND = 1_000_000_000

# Our id of a provider -> its id in genai-prices, and what its keys begin with in litellm's table.
PROVIDERS = {
    "anthropic": ("anthropic", ("",)),
    "cerebras": ("cerebras", ("cerebras/",)),
    "deepseek": ("deepseek", ("deepseek/", "")),
    "fireworks": ("fireworks", ("fireworks_ai/", "fireworks_ai/accounts/fireworks/models/")),
    "google": ("google", ("gemini/",)),
    "groq": ("groq", ("groq/",)),
    "mistral": ("mistral", ("mistral/",)),
    "moonshot": ("moonshotai", ("moonshot/",)),
    "openai": ("openai", ("",)),
    "openrouter": ("openrouter", ()),
    "together": ("together", ("together_ai/",)),
    "xai": ("x-ai", ("xai/",)),
    "zai": ("zai", ("zai/",)),
}
# Known to litellm only, or in genai-prices without the models that are sold now.
LITELLM_ONLY = {"azure": "azure", "qwen": "dashscope"}
# OpenRouter names the maker; what the model can do is said by the maker's own row, else by another host of the same model.
MAKERS = {
    "anthropic": "",
    "deepseek": "deepseek/",
    "google": "gemini/",
    "meta": "meta/",
    "minimax": "minimax/",
    "mistralai": "mistral/",
    "moonshotai": "moonshot/",
    "openai": "",
    "qwen": "dashscope/",
    "x-ai": "xai/",
    "z-ai": "zai/",
}
OTHER_HOSTS = ("vercel_ai_gateway/", "novita/", "deepinfra/")

RATES = ("input", "cache_read", "cache_write", "cache_write_1h", "output")
# What genai-prices charges where a rate is missing: the nearest rate above it in its tree of units; no output rate charges nothing.
KEYS = {
    "input": ("input_mtok",),
    "cache_read": ("cache_read_mtok", "input_mtok"),
    "cache_write": ("cache_write_mtok", "input_mtok"),
    "cache_write_1h": ("cache_write_1h_mtok", "cache_write_mtok", "input_mtok"),
    "output": ("output_mtok",),
}
# What else usage counts, and its price: a rate of its own beside the five, the same for prompts of all lengths.
EXTRAS = {
    "audio": ("input_audio_mtok", PUSD_PER_TOKEN_OF_USD_PER_MTOK),
    "search": ("web_searches_kcount", PUSD_PER_ONE_OF_USD_PER_THOUSAND),
}
# Rates of things that our usage never counts: they change nothing for a request of text, images, sound and tools.
UNCOUNTED = {"storage_searches_kcount", "cache_audio_read_mtok", *(key for key, _ in EXTRAS.values())}
# What a provider calls another way to be served than the usual one, by the word under which genai-prices keeps it. Batches are sent to
# addresses that no client of ours has.
SERVICES = {"service_tier", "speed"}
# What models cost that turn other things than text into vectors; our requests for vectors hold text only.
UNCOUNTED_OF_VECTORS = UNCOUNTED | {"input_image_mtok", "input_video_mtok"}
# The makers whose models for vectors are listed, by the names that their own addresses know.
MAKERS_OF_VECTORS = {"openai", "mistral", "google"}

CAPABILITIES = {
    "tools": "supports_function_calling",
    "vision": "supports_vision",
    "reasoning": "supports_reasoning",
    "structured": "supports_response_schema",
}
CHAT_MODES = {"chat", "responses"}
LITELLM_RATES = {
    "input": "input_cost_per_token",
    "cache_read": "cache_read_input_token_cost",
    "cache_write": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
}
DATED = re.compile(r"-20\d\d-\d\d-\d\d$")
LITELLM_MARK = re.compile(r"input_cost_per_token_above_(\d+)k_tokens$")

# Why genai-prices is taken where the two tables differ.
ONLY_PEAK = (
    "litellm lists the price of the peak hours as that of all hours; taken is the row of the hour "
    "(litellm adds that weekends have no peak, which neither table's rows can say: weekends are booked as working days)"
)
EARLIER = "litellm still lists an earlier price; taken is the row of the day"
NO_THIRD_SOURCE = "no third source decides; taken is the table that keeps dates and hours, and whose arithmetic the tests reproduce"

# (provider, start of the name, rate): why a fraction of a picodollar is rounded up instead of ending the run.
ROUNDED_UP = {
    ("openrouter", "google/", "cache_write"): "an hourly price of storage divided by twelve, a fraction that repeats; "
    "rounded up by less than a picodollar per written token",
}

OTHER_PURPOSE = re.compile(
    r"(^|[-/.])(tts|transcribe|realtime|audio|image|live|whisper|embed(ding)?s?|ocr|guard|moderation|safety|speech|voice|video|lyria"
    r"|robotics|nano-banana|omni-\d\S*|omni-flash-preview|\w*-?gpt-image)([-.:]|$)"
)
# Listed by genai-prices under a maker that does not serve it on the address that we know.
NOT_SERVED_THERE = {"openai": re.compile(r"^gpt-oss"), "google": re.compile(r"^claude")}


Variants: TypeAlias = Iterable[genai.PriceVariant]


@dataclass
class Run:
    """What was seen on the way and goes into the file beside the prices."""

    as_of: date
    litellm: Mapping[str, Mapping[str, Any]]
    left_out: Counter[str] = field(default_factory=Counter[str])
    unlisted: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    rounded: dict[str, str] = field(default_factory=dict[str, str])
    disagreements: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


class NotExact(Exception):
    """A rate is not a whole number of picodollars per token."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--litellm", type=Path, required=True, metavar="FILE", help="a litellm wheel, or the JSON of model prices inside one"
    )
    parser.add_argument(
        "--as-of", type=date.fromisoformat, metavar="DATE", help="the day of the prices; that of the present file where left out"
    )
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where the file is not what would be written")
    options = parser.parse_args()

    present = PRICES_FILE.read_text(encoding="utf-8") if PRICES_FILE.exists() else ""
    as_of = options.as_of or (date.fromisoformat(json.loads(present)["as_of"]) if present else None)
    if as_of is None:
        parser.error(f"{PRICES_FILE.name} is not there yet, so its day is not known; give --as-of YYYY-MM-DD")
    try:
        litellm_text, litellm_source = read_litellm(options.litellm)
        text = generate(as_of, litellm_text, litellm_source)
    except (OSError, NotExact, ValueError, KeyError) as trouble:
        print(f"The price table was not generated: {trouble}. Nothing was written.", file=sys.stderr)
        return 2
    if options.check:
        if text == present:
            print(f"{PRICES_FILE.name} is up to date.")
            return 0
        print(f"{PRICES_FILE.name} is not what these sources give. Run this again without --check.", file=sys.stderr)
        return 1
    PRICES_FILE.write_text(text, encoding="utf-8")
    print(f"{PRICES_FILE.name}: {len(text.encode())} bytes, version {json.loads(text)['version']}.")
    return 0


def read_litellm(file: Path) -> tuple[str, str]:
    """The text of litellm's model table, and the words that say which one it is."""
    if file.suffix != ".whl":
        text = file.read_text(encoding="utf-8")
        return text, f"litellm model table (MIT), sha256 {hashlib.sha256(text.encode()).hexdigest()[:16]}"
    with zipfile.ZipFile(file) as wheel:
        text = wheel.read("litellm/model_prices_and_context_window_backup.json").decode("utf-8")
    return text, f"litellm {file.name.split('-')[1]} model table (MIT)"


def generate(as_of: date, litellm_text: str, litellm_source: str) -> str:
    """The whole file. Floats of the table are read as decimals, so that a rate of 1e-07 stays exact."""
    run = Run(as_of, json.loads(litellm_text, parse_float=Decimal))
    providers: dict[str, dict[str, Any]] = {}
    for ours, (theirs, _) in PROVIDERS.items():
        provider = next(provider for provider in get_snapshot().providers if provider.id == theirs)
        providers[ours] = dict(sorted(rows_of(run, ours, provider)))
    for ours, theirs in LITELLM_ONLY.items():
        providers[ours] = dict(sorted(undated(dict(rows_of_litellm(run, theirs))).items()))
    head = {
        "format": FORMAT,
        "as_of": as_of.isoformat(),
        "sources": {"genai-prices": f"genai-prices {version('genai-prices')} (MIT)", "litellm": litellm_source},
        "unit": "picodollars per token",
        "rates": RATES,
        "disagreements": run.disagreements,
        "rounded_up": dict(sorted(run.rounded.items())),
        "left_out": dict(sorted(run.left_out.items())),
        "unlisted": {},
    }
    # A left-out model whose name, shorn of its date, is a listed one: that one's price is not its price.
    table = PriceTable(laid_out({"version": "", **head}, providers))
    mistaken = {ours: sorted({name for name in names if table.lookup(f"{ours}/{name}")}) for ours, names in run.unlisted.items()}
    head["unlisted"] = {ours: names for ours, names in sorted(mistaken.items()) if names}
    digest = hashlib.sha256(json.dumps([head, providers]).encode()).hexdigest()[:8]
    text = laid_out({"version": f"{as_of.isoformat()}.{digest}", **head}, providers)
    if len(text.encode()) > FILE_BYTES_MAX:
        raise ValueError(f"the file would have {len(text.encode())} bytes, more than {FILE_BYTES_MAX}")
    return text


def laid_out(head: Mapping[str, Any], providers: Mapping[str, Mapping[str, Any]]) -> str:
    """JSON with one model a line: short to load, and a change of one price is a change of one line."""
    lines = ["{"]
    lines += [f"{json.dumps(key)}: {json.dumps(value)}," for key, value in head.items() if key != "disagreements"]
    told = [json.dumps(one) for one in head["disagreements"]]
    lines += ['"disagreements": [', ",\n".join(told), "],", '"providers": {']
    blocks: list[str] = []
    for provider, models in sorted(providers.items()):
        rows = [f"{json.dumps(name)}: {json.dumps(row, separators=(',', ':'))}" for name, row in models.items()]
        blocks.append(f"{json.dumps(provider)}: {{\n" + ",\n".join(rows) + "\n}")
    return "\n".join(lines) + "\n" + ",\n".join(blocks) + "\n}\n}\n"


def rows_of(run: Run, ours: str, provider: genai.Provider) -> Iterator[tuple[str, dict[str, Any]]]:
    """The models of one provider that can serve an agent, priced by genai-prices."""
    for model in provider.models:
        names = [name for name in literal_names(model.match, model.id) if provider.find_model(name) is model]
        entry = litellm_entry(run, ours, names)
        window = window_of(ours, model.context_window or makers_window(ours, names), entry)
        why = why_left_out(run, ours, model, names, entry)
        if not why and window is None:
            why = "no table says how long its prompts may be"
        if why:
            run.left_out[why] += 1
            run.unlisted.setdefault(ours, []).extend(name.lower() for name in names)
            continue
        listed = model.prices if isinstance(model.prices, list) else [genai.ConditionalPrice(prices=model.prices)]
        variants = model.price_variants or ()
        # What a service costs is known of the rows that hold now or will: not of those that later ones have taken the place of.
        begun = [
            at
            for at, one in enumerate(listed)
            if isinstance(one.constraint, genai.StartDateConstraint) and one.constraint.start_date <= run.as_of
        ]
        gone = max(begun, default=0)
        rows = [price_row(run, f"{ours}/{names[0]}", at, one, variants if at >= gone else ()) for at, one in enumerate(listed)]
        compare(run, f"{ours}/{names[0]}", model, rows, entry if PROVIDERS[ours][1] else None)
        yield names[0], {"window": window, **facts_of(entry), "prices": rows, **({"names": names[1:]} if names[1:] else {})}


def literal_names(match: genai.MatchLogic, model_id: str) -> list[str]:
    """Every name that the model is known by to the letter, its own first."""
    names = [model_id]
    if isinstance(match, genai.ClauseEquals):
        names.append(match.equals)
    if isinstance(match, genai.ClauseOr):
        names += [clause.equals for clause in match.or_ if isinstance(clause, genai.ClauseEquals)]
    return list(dict.fromkeys(names))


def why_left_out(run: Run, ours: str, model: genai.ModelInfo, names: list[str], entry: Mapping[str, Any] | None) -> str:
    """Why a model is not in our table, in words; empty where it is."""
    if not names:
        return "its name matches by pattern only"
    name = names[0]
    if makes_vectors(ours, entry):
        rates = [rates for rates in all_rates(model) if rates]
        uncounted = UNCOUNTED_OF_VECTORS | {key for keys in KEYS.values() for key in keys}
        priced = bool(rates) and all("input_mtok" in rate and set(rate) <= uncounted for rate in rates)
        return "" if priced else "no price is known"
    if ours == "openrouter":
        variant = name.partition(":")[2]
        if "/" not in name or name.startswith("~") or variant not in ("", "free"):
            return "a moving or batch name of OpenRouter"
    elif ":" in name:
        return "a variant that its maker does not serve"
    if OTHER_PURPOSE.search(name.lower()) or (entry and entry.get("mode") not in CHAT_MODES):
        return "made for something else than chat"
    if ours in NOT_SERVED_THERE and NOT_SERVED_THERE[ours].search(name):
        return "served by others only"
    if entry and PROVIDERS[ours][1] and entry.get("deprecation_date", "9") < run.as_of.isoformat():
        return "withdrawn by its provider"
    rates = [rates for rates in all_rates(model) if rates]
    if not rates and not (ours == "openrouter" and name.endswith(":free")):
        return "no price is known"
    if any(set(rate) - UNCOUNTED - {key for keys in KEYS.values() for key in keys} for rate in rates):
        return "priced by something that usage does not count"
    if any("input_mtok" not in rate or "output_mtok" not in rate for rate in rates):
        return "no price for input or for output"
    return ""


def makes_vectors(ours: str, entry: Mapping[str, Any] | None) -> bool:
    return ours in MAKERS_OF_VECTORS and entry is not None and entry.get("mode") == "embedding"


def all_rates(model: genai.ModelInfo) -> list[dict[str, Any]]:
    listed = [one.prices for one in model.prices] if isinstance(model.prices, list) else [model.prices]
    return [{key: value for key, value in prices.__dict__.items() if value is not None} for prices in listed]


def price_row(run: Run, model_id: str, index: int, conditional: genai.ConditionalPrice, variants: Variants) -> dict[str, Any]:
    """One row: rates, rates above marks of the prompt's length, those of other services, and when it holds. The last row that holds is
    the price."""
    prices = conditional.prices
    row = rates_of(run, model_id, prices)
    for extra, (key, pusd) in EXTRAS.items():
        value = getattr(prices, key)
        if value is not None:
            row[extra] = exact(run, model_id, extra, value * pusd)
    services = {name: rates_of(run, f"{model_id} served as {name}", changed) for name, changed in services_of(run, prices, variants)}
    if services:
        row["services"] = services
    constraint = conditional.constraint
    if index == 0:
        # genai-prices falls back on the first row whatever its condition; a row that always holds says the same.
        return row
    if isinstance(constraint, genai.StartDateConstraint):
        row["from"] = constraint.start_date.isoformat()
    if isinstance(constraint, genai.TimeOfDateConstraint):
        row["hours"] = [minute_of_day(constraint.start_time), minute_of_day(constraint.end_time)]
    return row


def rates_of(run: Run, model_id: str, prices: genai.ModelPrice) -> dict[str, Any]:
    """The rates, and those above marks of the prompt's length."""
    marks = sorted({tier.start for value in vars(prices).values() if isinstance(value, genai.TieredPrices) for tier in value.tiers})
    base = rates_at(run, model_id, prices, 0)
    above: list[list[Any]] = []
    for mark in marks:
        rates = rates_at(run, model_id, prices, mark + 1)
        if rates != (above[-1][1] if above else base):
            above.append([mark, rates])
    return {"rates": base, **({"above": above} if above else {})}


def services_of(run: Run, prices: genai.ModelPrice, variants: Variants) -> Iterator[tuple[str, genai.ModelPrice]]:
    """What other services cost that are sold on the day of the table, by their names; one that says nothing costs what all cost."""
    usual = {key: value for key, value in vars(prices).items() if value is not None}
    for variant in variants:
        name = next((name for key, name in variant.when.items() if key in SERVICES), "")
        said = {key: value for key, value in vars(variant.prices).items() if value is not None}
        start = variant.constraint.start_date if isinstance(variant.constraint, genai.StartDateConstraint) else run.as_of
        if name and len(variant.when) == 1 and said and start <= run.as_of:
            yield name, genai.ModelPrice(**{**usual, **said})


def minute_of_day(moment: time) -> int:
    at = datetime.combine(date(1970, 1, 1), moment, tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    if at.second or at.microsecond:
        raise ValueError(f"{moment} is not a whole minute")
    return at.hour * 60 + at.minute


def rates_at(run: Run, model_id: str, prices: genai.ModelPrice, prompt_tokens: int) -> list[int]:
    rates: list[int] = []
    for rate, keys in KEYS.items():
        value = next((value for key in keys if (value := getattr(prices, key)) is not None), Decimal(0))
        if isinstance(value, genai.TieredPrices):
            value = next((tier.price for tier in reversed(value.tiers) if prompt_tokens > tier.start), value.base)
        rates.append(exact(run, model_id, rate, value * PUSD_PER_TOKEN_OF_USD_PER_MTOK))
    return rates


def exact(run: Run, model_id: str, rate: str, value: Decimal) -> int:
    whole = int(value.to_integral_value(rounding=ROUND_CEILING))
    if whole == value:
        return whole
    provider, _, name = model_id.partition("/")
    # A one-hour write without a price of its own costs what a write costs, rounding included.
    written = "cache_write" if rate == "cache_write_1h" else rate
    why = next(
        (why for (where, start, what), why in ROUNDED_UP.items() if where == provider and name.startswith(start) and what == written), ""
    )
    if not why:
        raise NotExact(f"{model_id}: {rate} is {value} picodollars per token, not a whole number")
    run.rounded[model_id] = f"{written}: {why}"
    return whole


def litellm_entry(run: Run, ours: str, names: list[str]) -> Mapping[str, Any] | None:
    """What litellm says of a model; of OpenRouter's models, what it says of the same model at its maker or at another host."""
    keys = [prefix + name for name in names for prefix in PROVIDERS[ours][1]]
    if ours == "openrouter":
        for name in names:
            maker, _, model = name.partition(":")[0].partition("/")
            if maker in MAKERS:
                keys += [MAKERS[maker] + model, MAKERS[maker] + model.replace(".", "-")]
            keys += [host + name.partition(":")[0] for host in OTHER_HOSTS]
    for key in keys:
        entry = run.litellm.get(key) or run.litellm.get(key.lower())
        if entry is not None:
            return entry
    return None


def window_of(ours: str, context: int | None, entry: Mapping[str, Any] | None) -> int | None:
    """How many tokens a prompt may have: the smaller figure where both tables have one for this very host."""
    other = int(entry["max_input_tokens"]) if entry and entry.get("max_input_tokens") else None
    if context is None or other is None:
        return context or other
    return min(context, other) if PROVIDERS[ours][1] else context


def makers_window(ours: str, names: list[str]) -> int | None:
    """The window that genai-prices knows of the same model at its maker, where it knows none at OpenRouter."""
    if ours != "openrouter":
        return None
    for name in names:
        maker, _, model = name.partition(":")[0].partition("/")
        theirs = {"mistralai": "mistral", "z-ai": "zai"}.get(maker, maker)
        provider = next((provider for provider in get_snapshot().providers if provider.id == theirs), None)
        found = provider and (provider.find_model(model) or provider.find_model(model.replace(".", "-")))
        if found:
            return found.context_window
    return None


def facts_of(entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """Answer length and capabilities; absent where litellm does not know the model."""
    if entry is None:
        return {}
    if entry.get("mode") == "embedding":
        return {"can": ["embed"]}
    output = {"output": int(entry["max_output_tokens"])} if entry.get("max_output_tokens") else {}
    return {**output, "can": [ours for ours, theirs in CAPABILITIES.items() if entry.get(theirs)]}


def litellm_rates(row: Mapping[str, Any], mark: str = "") -> dict[str, int]:
    """The rates that litellm names in a row, in picodollars per token; above a mark of the prompt's length where one is given."""
    rates: dict[str, int] = {}
    for ours, theirs in LITELLM_RATES.items():
        value = row.get(theirs + mark)
        if value is None:
            continue
        value = Decimal(value) * PUSD_OF_USD
        if value != int(value):
            raise NotExact(f"{theirs + mark} of litellm is {value} picodollars per token, not a whole number")
        rates[ours] = int(value)
    return rates


def compare(run: Run, model_id: str, model: genai.ModelInfo, rows: list[dict[str, Any]], entry: Mapping[str, Any] | None) -> None:
    """Note where litellm names another price than the one taken, and why that one is taken."""
    if entry is None or entry.get("input_cost_per_token") is None:
        return
    noon = datetime.combine(run.as_of, time(12), tzinfo=UTC)
    prices = model.get_prices(noon)
    marks = sorted(int(found.group(1)) * 1000 for key in entry if (found := LITELLM_MARK.match(key)))
    for above in [0, *marks]:
        taken: dict[str, int] = dict(zip(RATES, rates_at(run, model_id, prices, above and above + 1), strict=True))
        named = litellm_rates(entry, f"_above_{above // 1000}k_tokens" if above else "")
        # A cache write of nothing is litellm's way to say that writing is not billed apart.
        named = {rate: value for rate, value in named.items() if not (rate.startswith("cache_write") and value == 0)}
        differing = {rate: value for rate, value in named.items() if value != taken[rate]}
        if differing:
            why = reason(rows, named) if not above else NO_THIRD_SOURCE
            told = {"model": model_id, **({"above": above} if above else {})}
            run.disagreements.append({**told, "taken": {rate: taken[rate] for rate in differing}, "litellm": differing, "reason": why})


def reason(rows: list[dict[str, Any]], named: Mapping[str, int]) -> str:
    """Why genai-prices is believed. It is the only one of the two with dates and hours, and the one whose arithmetic is tested."""
    same = [row for row in rows if named.items() <= set(zip(RATES, row["rates"], strict=True))]
    if any("hours" in row for row in same):
        return ONLY_PEAK
    return EARLIER if same else NO_THIRD_SOURCE


def rows_of_litellm(run: Run, theirs: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The models of a provider that only litellm knows: one price each, with steps by prompt length where it lists ranges or marks."""
    for key, entry in run.litellm.items():
        if entry.get("litellm_provider") != theirs:
            continue
        name = key.partition("/")[2]
        if "/" in name:
            run.left_out["sold under another name in a region of its own"] += 1
            continue
        tiers = entry.get("tiered_pricing") or [{**entry, "range": [0, None]}]
        if entry.get("mode") not in CHAT_MODES or OTHER_PURPOSE.search(name):
            run.left_out["made for something else than chat"] += 1
        elif entry.get("deprecation_date", "9") < run.as_of.isoformat():
            run.left_out["withdrawn by its provider"] += 1
        elif any("output_cost_per_reasoning_token" in tier for tier in tiers):
            run.left_out["priced by something that usage does not count"] += 1
        elif any(not tier.get("input_cost_per_token") or not tier.get("output_cost_per_token") for tier in tiers):
            run.left_out["no price is known"] += 1
        elif not entry.get("max_input_tokens"):
            run.left_out["no table says how long its prompts may be"] += 1
        else:
            row: dict[str, Any] = {"rates": filled(litellm_rates(tiers[0]))}
            above = [[int(tier["range"][0]), filled(litellm_rates(tier))] for tier in tiers[1:]] or marked(entry)
            if above:
                row["above"] = above
            yield name, {"window": int(entry["max_input_tokens"]), **facts_of(entry), "source": "litellm", "prices": [row]}


def undated(rows: Mapping[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without those of a dated name that say what the row of the name without its date says: a lookup tries that one too."""
    return {name: row for name, row in rows.items() if rows.get(DATED.sub("", name), {}) != row or not DATED.search(name)}


def marked(entry: Mapping[str, Any]) -> list[list[Any]]:
    """Steps by prompt length of a row that names them in its keys; a rate that a mark does not name stays."""
    base = litellm_rates(entry)
    marks = sorted(int(found.group(1)) for key in entry if (found := LITELLM_MARK.match(key)))
    return [[mark * 1000, filled({**base, **litellm_rates(entry, f"_above_{mark}k_tokens")})] for mark in marks]


def filled(rates: Mapping[str, int]) -> list[int]:
    """Missing rates by the same rule as everywhere: a cache read or write without a price costs what input costs."""
    write = rates.get("cache_write", rates["input"])
    return [rates["input"], rates.get("cache_read", rates["input"]), write, rates.get("cache_write_1h", write), rates["output"]]


if __name__ == "__main__":
    sys.exit(main())
