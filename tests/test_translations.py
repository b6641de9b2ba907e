"""The thread's own words: which language is chosen, and that no catalogue lacks or invents any."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from gettext import GNUTranslations, NullTranslations
from pathlib import Path

import pytest
from babel import Locale
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from linkback.web import translations
from linkback.web.translations import ENGLISH, LOCALE, Language, accepted, of

LANGUAGES = ("de", "es", "fr", "ja")
WEB = Path(translations.__file__).parent
every_language = pytest.mark.parametrize("code", LANGUAGES)


def catalogue(path: Path, locale: str | None = None) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=locale)


def po(code: str) -> Path:
    return LOCALE / code / "LC_MESSAGES" / "linkback.po"


def said(catalog: Catalog) -> set[str | tuple[str, ...]]:
    return {_key(message) for message in catalog if message.id}


def _key(message: Message) -> str | tuple[str, ...]:
    return message.id if isinstance(message.id, str) else tuple(message.id)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (("de",), "de"),
        (("de-AT",), "de"),
        (("de_CH",), "de"),
        (("DE-at-1996",), "de"),
        (("ja-JP-u-ca-japanese",), "ja"),
        (("en",), "en"),
        (("en-GB", "de"), "en"),
        (("xx", "fr-CA", "de"), "fr"),
        (("xx",), "en"),
        (("",), "en"),
        ((), "en"),
        (("deutsch",), "en"),
        (("../../etc",), "en"),
        (("de" + "-x" * 100_000,), "de"),
        (("\x00\ud800",), "en"),
    ],
    ids=lambda value: str(value)[:30].encode("ascii", "replace").decode(),
)
def test_the_first_language_that_is_known_is_chosen(wanted: tuple[str, ...], expected: str) -> None:
    assert of(*wanted).code == expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", []),
        ("de", ["de"]),
        ("fr-CH, fr;q=0.9, en;q=0.8, *;q=0.5", ["fr-CH", "fr", "en", "*"]),
        ("en;q=0.2, de;q=0.7, ja", ["ja", "de", "en"]),
        ("de;q=0, en", ["en"]),
        ("de ; Q=0.5 , en ; q = 0.6", ["en", "de"]),
        ("de;q=nan, en;q=2, fr;q=, es;level=1, ja", ["ja"]),
        (",,;,de", ["de"]),
        ("de," * 100_000, ["de"] * 20),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_browser_says_which_languages_it_accepts(header: str, expected: list[str]) -> None:
    assert accepted(header) == expected


def test_english_needs_no_catalogue() -> None:
    assert of("en") is ENGLISH
    assert ENGLISH.gettext("Reply") == "Reply"


@pytest.mark.parametrize(
    ("code", "counts"),
    [
        ("en", ["0 comments", "1 comment", "2 comments"]),
        ("de", ["0 Kommentare", "1 Kommentar", "2 Kommentare"]),
        ("es", ["0 comentarios", "1 comentario", "2 comentarios"]),
        ("fr", ["0 commentaire", "1 commentaire", "2 commentaires"]),
        ("ja", ["コメント0件", "コメント1件", "コメント2件"]),
    ],
)
def test_each_language_counts_in_its_own_way(code: str, counts: list[str]) -> None:
    language = of(code)
    assert [language.ngettext("{count} comment", "{count} comments", count) for count in range(3)] == counts


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("en", "3 May 2010, 07:05"),
        ("de", "3. Mai 2010, 07:05 Uhr"),
        ("es", "3 de mayo de 2010, 07:05"),
        ("fr", "3 mai 2010 à 07:05"),
        ("ja", "2010年5月3日 07:05"),
    ],
)
def test_each_language_writes_dates_in_its_own_order(code: str, expected: str) -> None:
    assert of(code).date(datetime(2010, 5, 3, 7, 5, tzinfo=UTC)) == expected


@every_language
def test_months_are_called_as_the_unicode_locale_data_call_them(code: str) -> None:
    names = Locale(code).months["format"]["wide"]
    shown = [of(code).date(datetime(2010, month, 1, tzinfo=UTC)) for month in range(1, 13)]
    assert [name for name, date in zip(names.values(), shown, strict=True) if name not in date] == []


@pytest.mark.parametrize(
    ("code", "parts"),
    [("en", ("", " liked this")), ("es", ("A ", " le gusta esto")), ("ja", ("", "さんが「いいね」しました"))],
)
def test_a_name_stands_where_the_language_puts_it(code: str, parts: tuple[str, str]) -> None:
    assert of(code).around("{name} liked this") == parts


@pytest.mark.parametrize(
    ("code", "expected"), [("en", "ltr"), ("ja", "ltr"), ("ar", "rtl"), ("he-IL", "rtl"), ("FA", "rtl"), ("arn", "ltr")]
)
def test_a_language_has_a_direction(code: str, expected: str) -> None:
    assert Language(code, NullTranslations()).direction == expected


def test_the_template_of_the_catalogues_is_what_the_sources_say() -> None:
    extracted = Catalog()
    for _, _, message, comments, context in extract_from_dir(WEB):
        extracted.add(message, None, auto_comments=comments, context=context)
    assert said(extracted)
    assert said(catalogue(LOCALE / "linkback.pot")) == said(extracted)


def test_the_catalogues_are_those_that_are_shipped() -> None:
    assert {path.parent.parent.name for path in LOCALE.glob("*/LC_MESSAGES/linkback.mo")} == set(LANGUAGES)


@every_language
def test_a_catalogue_says_all_and_nothing_else(code: str) -> None:
    translated = catalogue(po(code), code)
    assert said(translated) == said(catalogue(LOCALE / "linkback.pot"))
    assert not translated.fuzzy
    assert not translated.obsolete
    for message in translated:
        if not message.id:
            continue
        assert not message.fuzzy, message.id
        forms = [message.string] if isinstance(message.string, str) else list(message.string or ())
        assert all(forms), message.id
        assert len(forms) == (translated.num_plurals if message.pluralizable else 1)
        wanted = re.findall(r"\{\w+\}", message.id if isinstance(message.id, str) else message.id[0])
        for form in forms:
            assert sorted(re.findall(r"\{\w+\}", form)) == sorted(wanted), form


@every_language
def test_a_compiled_catalogue_is_what_its_source_says(code: str) -> None:
    fresh = io.BytesIO()
    write_mo(fresh, catalogue(po(code), code))
    fresh.seek(0)
    with po(code).with_suffix(".mo").open("rb") as file:
        shipped, made = GNUTranslations(file), GNUTranslations(fresh)
    assert _all(shipped) == _all(made)
    assert len(_all(shipped)) >= len(said(catalogue(LOCALE / "linkback.pot")))


def _all(compiled: GNUTranslations) -> dict[object, str]:
    texts: dict[object, str] = dict(compiled._catalog)  # type: ignore[attr-defined]
    # the first entry says when and by what it was made
    del texts[""]
    return texts
