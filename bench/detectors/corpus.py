"""The texts: generated ones of every kind, texts that look like them, and texts by hand.

Marks say what a person would call personal: `[[kind|words]]`.
"""

import json
import re
import uuid
from dataclasses import dataclass
from pathlib import Path
from random import Random

from . import made_up

HERE = Path(__file__).resolve().parent
SEED = 20261101
EACH = 200
LOOKALIKES = 3_000
MARK = re.compile(r"\[\[(\w+)\|(.+?)\]\]", re.DOTALL)

# What people call each kind where they write it. The first is that of a column or a key.
NAMES = {
    "email": ["email", "e-mail address", "mail", "email"],
    "phone": ["phone", "phone number", "mobile", "telephone"],
    "credit_card": ["card_number", "credit card", "card", "Visa card"],
    "iban": ["iban", "IBAN", "bank account", "account (IBAN)"],
    "ip_address": ["ip", "IP address", "client IP", "IP"],
    "mac_address": ["mac", "MAC address", "hardware address", "MAC"],
    "us_ssn": ["ssn", "SSN", "social security number", "Social Security number"],
    "us_itin": ["itin", "ITIN", "taxpayer ID", "ITIN"],
    "us_mbi": ["mbi", "Medicare number", "MBI", "Medicare beneficiary ID"],
    "uk_nino": ["nino", "National Insurance number", "NI number", "NINO"],
    "uk_nhs": ["nhs_number", "NHS number", "NHS no", "NHS number"],
    "de_tax_id": ["steuer_id", "Steuer-ID", "tax ID", "Steueridentifikationsnummer"],
    "it_fiscal_code": ["codice_fiscale", "codice fiscale", "fiscal code", "tax code"],
    "es_dni": ["dni", "DNI", "NIF", "DNI number"],
    "es_nie": ["nie", "NIE", "NIE number", "foreigner number (NIE)"],
    "pl_pesel": ["pesel", "PESEL", "PESEL number", "numer PESEL"],
    "fi_hetu": ["hetu", "henkilötunnus", "personal identity code", "hetu"],
    "se_personnummer": ["personnummer", "personnummer", "Swedish personal number", "personnummer"],
    "in_aadhaar": ["aadhaar", "Aadhaar", "Aadhaar number", "Aadhaar card number"],
    "in_pan": ["pan", "PAN", "PAN card", "permanent account number"],
    "au_tfn": ["tfn", "TFN", "tax file number", "tax file number"],
    "au_medicare": ["medicare", "Medicare number", "Medicare card", "Medicare"],
    "ca_sin": ["sin_number", "SIN", "social insurance number", "SIN number"],
    "kr_rrn": ["rrn", "resident registration number", "RRN", "주민등록번호"],
    "th_tnin": ["thai_id", "Thai ID", "Thai national ID", "เลขประจำตัวประชาชน"],
    "tr_tckn": ["tckn", "TC kimlik no", "T.C. Kimlik No", "Turkish identity number"],
    "za_id": ["id_number", "ID number", "South African ID", "identity number"],
    "sg_nric": ["nric", "NRIC", "FIN", "NRIC number"],
    "passport": ["passport_number", "passport number", "passport", "passport no."],
    "br_cpf": ["cpf", "CPF", "CPF", "número do CPF"],
    "fr_nir": ["nir", "numéro de sécurité sociale", "NIR", "numéro de sécu"],
    "nl_bsn": ["bsn", "BSN", "burgerservicenummer", "BSN"],
    "cn_resident_id": ["id_card", "身份证号", "Chinese ID card", "身份证"],
    "jp_my_number": ["my_number", "マイナンバー", "My Number", "個人番号"],
    "medical_record": ["mrn", "MRN", "medical record number", "patient ID"],
    "date_of_birth": ["dob", "date of birth", "born", "DOB"],
    "secret": ["api_key", "API key", "token", "key"],
}

SENTENCES = [
    "My {name} is {it}.",
    "Please update the file: {name} {it}, the rest stays as it is.",
    "{name}: {it}",
    "Hi, I am writing about my contract. You asked for the {name}; it is {it}. Thanks a lot!",
    'Fill in the form with this data: {{"{key}": "{it}", "country": "n/a"}}',
    "Customer says the {name} on record ({it}) is wrong.",
    "| name | {key} |\n| --- | --- |\n| Jane Doe | {it} |",
    "Can you check whether {it} is a valid {name}?",
    "{key}={it}",
    "- Name: Jane Doe\n- {name}: {it}\n- City: Springfield",
    "The applicant, Jane Doe ({name} {it}), asks for an extension of the deadline.",
    "Draft a letter to Mr Smith. Mention his {name}, {it}, in the second paragraph and keep it short.",
]  # fmt: skip

# Written after the detectors were done.
FRESH = [
    "So the thing is, I lost my wallet yesterday and need a replacement. {name} {it}, if that helps. When will it arrive?",
    "Subject: change of records\n\nDear team,\n\nkindly note the {name} below.\n\n{it}\n\nRegards",
    "<customer><{key}>{it}</{key}><city>Springfield</city></customer>",
    "name,{key},city\nJane Doe,{it},Springfield\n",
    "Q: {name}?\nA: {it}",
    "INSERT INTO people (name, {key}) VALUES ('Jane Doe', '{it}');",
    "He read it out on the phone, twice: {it}. That is his {name}, he said.",
    "Turn this into bullet points: Jane Doe moved to Springfield in 2019, works as a nurse, {name} {it}, two children.",
    "  {key}: {it}  # from the form",
    "(see the {name}, i.e. {it}, on page 3)",
    "Why does my regular expression not match {it}? It should accept every {name}.",
    "User: what was my {name} again?\nAssistant: According to the file it is {it}.",
]  # fmt: skip

# Kinds that a person knows by their form alone.
PLAIN = {
    "email", "phone", "credit_card", "iban", "ip_address", "mac_address", "us_ssn", "uk_nino", "it_fiscal_code",
    "es_nie", "fi_hetu", "br_cpf", "cn_resident_id", "secret",
}  # fmt: skip
BARE = ["Here you go: {it}", "{it}", "Sent to {it} yesterday, no reply so far.", "Use {it} for now, please."]


@dataclass
class Labelled:
    """A text, and the kind and bounds of what is personal in it."""

    text: str
    spans: list[tuple[str, int, int]]


def marked(text: str) -> Labelled:
    spans, plain, at = [], "", 0
    for mark in MARK.finditer(text):
        plain += text[at : mark.start()]
        spans.append((mark[1], len(plain), len(plain) + len(mark[2])))
        plain += mark[2]
        at = mark.end()
    return Labelled(plain + text[at:], spans)


def lookalike(r: Random) -> str:
    """Something with numbers in it that is of no person."""
    when = f"{r.randint(2015, 2026)}-{r.randint(1, 12):02}-{r.randint(1, 28):02}"
    clock = f"{r.randint(0, 23):02}:{r.randint(0, 59):02}:{r.randint(0, 59):02}"
    d = made_up.digits
    return r.choice(
        [
            lambda: f"Order {d(r, r.choice([8, 9, 10, 11, 12, 13]), '5')} was shipped on {when}.",
            lambda: f"Invoice no. {d(r, 9)} over ${r.randint(1, 999)},{d(r, 3)}.{d(r, 2)} is due {when}.",
            lambda: f"{when}T{clock}.{d(r, 6)}Z INFO request {uuid.UUID(int=r.getrandbits(128))} took {r.randint(1, 999)} ms",
            lambda: f"timestamp {r.randint(1_400_000_000, 1_800_000_000)} ({r.randint(1_400_000_000_000, 1_800_000_000_000)} ms)",
            lambda: f"Upgrade from version {r.randint(1, 20)}.{r.randint(0, 60)}.{r.randint(0, 30)} to {r.randint(1, 12)}.{r.randint(0, 30)}.{r.randint(0, 30)}.{r.randint(0, 30)}",
            lambda: f"Mozilla/5.0 (X11; Linux x86_64) Chrome/{r.randint(90, 130)}.0.{d(r, 4, '6')}.{r.randint(10, 200)} Safari/537.36",
            lambda: f"prompt_tokens: {d(r, 6, '1')}, completion_tokens: {d(r, 5, '2')}, total {d(r, 6, '1')}",
            lambda: f"The population is {r.randint(1, 99)} {d(r, 3)} {d(r, 3)}, up from {r.randint(1, 99)},{d(r, 3)},{d(r, 3)}.",
            lambda: f"sha256:{''.join(r.choice('0123456789abcdef') for _ in range(64))}",
            lambda: f"commit {''.join(r.choice('0123456789abcdef') for _ in range(40))} touches 12 files",
            lambda: f"ISBN 978-3-{d(r, 2)}-{d(r, 6)}-{d(r, 1)}, {r.randint(100, 900)} pages",
            lambda: f"Tracking number 1Z{d(r, 3)}AA{d(r, 10)} arrives {when}",
            lambda: f"part number {d(r, 4)}-{d(r, 5)}, serial {d(r, 12)}",
            lambda: f"Coordinates {r.randint(-80, 80)}.{d(r, 6)}, {r.randint(-170, 170)}.{d(r, 6)}",
            lambda: f"Values: {', '.join(d(r, r.randint(3, 6), '7') for _ in range(8))}",
            lambda: f"https://shop.example.com/item/{d(r, 10)}?ref={d(r, 8)}&page=2",
            lambda: f"The meeting runs from {when} to {r.randint(2015, 2026)}/{r.randint(1, 12):02}/{r.randint(1, 28):02}, room {d(r, 3)}.",
            lambda: f"call_{''.join(r.choice('abcdefghijklmnop0123456789') for _ in range(24))} returned {d(r, 9)}",
            lambda: f"0x{d(r, 16)} 3.14159{d(r, 9)} 1e-{d(r, 2)} {d(r, 5)}.{d(r, 4)}",
            lambda: f"std::net::{r.choice(['Ipv4Addr', 'Ipv6Addr'])}::new(127, 0, 0, 1) listens on 0.0.0.0:8080",
            lambda: f"@app.get('/v1/items/{d(r, 6)}') and @agent.tool_plain are decorators",
            lambda: f"SELECT id FROM t WHERE id BETWEEN {d(r, 8, '3')} AND {d(r, 8, '4')} LIMIT 100",
            lambda: f"Ticket #{d(r, 10)} (case number {d(r, 8)}) is closed.",
            lambda: f"score 3-2, set 6-4 7-5, lap 1:{d(r, 2)}.{d(r, 3)}, bib {d(r, 4)}",
        ]
    )()


def build(fresh: bool = False) -> list[Labelled]:
    random = Random(SEED + fresh)
    texts: list[Labelled] = []
    sentences = FRESH if fresh else SENTENCES
    for kind, names in NAMES.items():
        make = getattr(made_up, kind)
        for number in range(EACH):
            it = f"[[{kind}|{make(random)}]]"
            if kind in PLAIN and number % 4 == 0:
                text = random.choice(BARE).format(it=it)
            else:
                text = random.choice(sentences).format(name=random.choice(names[1:]), key=names[0], it=it)
            texts.append(marked(text))
    texts += [marked(lookalike(random)) for _ in range(LOOKALIKES)]
    if fresh:
        return texts
    by_hand = (HERE / "by_hand.txt").read_text().split("\n---\n")
    texts += [marked(text.strip("\n")) for text in by_hand]
    return texts


def lines(texts: list[Labelled]) -> str:
    return "".join(json.dumps({"text": text.text}) + "\n" for text in texts)
