"""Numbers of persons that are valid and belong to nobody, written apart from the product."""

import string
from collections.abc import Callable
from random import Random

LUHN = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9]


def digits(random: Random, count: int, first: str = "") -> str:
    rest = "".join(random.choice("0123456789") for _ in range(count - len(first)))
    return first + rest


def luhn(body: str) -> str:
    total = sum(LUHN[int(d)] if i % 2 == 0 else int(d) for i, d in enumerate(reversed(body)))
    return str(-total % 10)


def weighted(body: str, weights: list[int]) -> int:
    return sum(int(d) * w for d, w in zip(body, weights, strict=False))


def day(random: Random, first: int = 1940, last: int = 2005) -> tuple[int, int, int]:
    return random.randint(first, last), random.randint(1, 12), random.randint(1, 28)


def until(make: Callable[[], str | None]) -> str:
    while True:
        if made := make():
            return made


def email(r: Random) -> str:
    names = "jane john maria wei olga amir lena tom sofia raj".split()
    last = "doe smith garcia zhang ivanova khan mueller brown rossi patel".split()
    hosts = "example.com mail.example.org corp.example.co.uk beispiel.de ejemplo.es test.fr posta.it acme.io".split()
    join = r.choice([".", "_", "", "-", "+"])
    tail = r.choice(["", "", str(r.randint(1, 99))])
    return f"{r.choice(names)}{join}{r.choice(last)}{tail}@{r.choice(hosts)}"


def phone(r: Random) -> str:
    area, exchange, line = r.choice(["212", "415", "617", "303", "512"]), r.randint(222, 999), digits(r, 4)
    if exchange % 100 == 11:
        exchange += 1
    forms = [
        f"({area}) {exchange}-{line}", f"{area}-{exchange}-{line}", f"{area}.{exchange}.{line}",
        f"+1 {area} {exchange} {line}", f"+1-{area}-{exchange}-{line}", f"1-{area}-{exchange}-{line}",
        f"+44 20 7{digits(r, 3)} {digits(r, 4)}", f"020 7{digits(r, 3)} {digits(r, 4)}", f"+44 7{r.randint(400, 999)} {digits(r, 6)}",
        f"+49 30 {digits(r, 8, '2')}", f"030 {digits(r, 8, '3')}", f"+49 {r.choice(['151', '170', '176'])} {digits(r, 7, '2')}",
        f"+33 6 {' '.join(digits(r, 2) for _ in range(4))}", f"06 {' '.join(digits(r, 2) for _ in range(4))}",
        f"+91 9{digits(r, 4)} {digits(r, 5)}", f"+55 11 9{digits(r, 4)}-{digits(r, 4)}", f"(11) 9{digits(r, 4)}-{digits(r, 4)}",
        f"+34 6{digits(r, 2)} {digits(r, 3)} {digits(r, 3)}", f"+86 138 {digits(r, 4)} {digits(r, 4)}", f"+81 90-{digits(r, 4)}-{digits(r, 4)}",
    ]  # fmt: skip
    return r.choice(forms)


def credit_card(r: Random) -> str:
    start, length = r.choice([("4", 16), ("51", 16), ("55", 16), ("2223", 16), ("34", 15), ("37", 15), ("6011", 16)])
    body = digits(r, length - 1, start)
    number = body + luhn(body)
    sep = r.choice(["", " ", "-"])
    cuts = [4, 10] if length == 15 else [4, 8, 12]
    return sep.join(number[a:b] for a, b in zip([0, *cuts], [*cuts, length], strict=True))


def iban(r: Random) -> str:
    country, form = r.choice(
        [("DE", "n" * 18), ("GB", "aaaa" + "n" * 14), ("FR", "n" * 10 + "c" * 11 + "nn"), ("ES", "n" * 20),
         ("NL", "aaaa" + "n" * 10), ("IT", "a" + "n" * 10 + "c" * 12), ("CH", "n" * 5 + "c" * 12), ("PL", "n" * 24)]
    )  # fmt: skip
    letters = {"n": string.digits, "a": string.ascii_uppercase, "c": string.digits + string.ascii_uppercase}
    body = "".join(r.choice(letters[kind]) for kind in form)
    value = int("".join(str(int(c, 36)) for c in f"{body}{country}00"))
    whole = f"{country}{98 - value % 97:02}{body}"
    return " ".join(whole[i : i + 4] for i in range(0, len(whole), 4)) if r.random() < 0.5 else whole


def ip_address(r: Random) -> str:
    if r.random() < 0.3:
        return ":".join(["2001", "db8", *(f"{r.randint(1, 65535):x}" for _ in range(6))])
    first = r.choice([23, 45, 81, 93, 104, 141, 178, 185, 203, 212])
    return f"{first}.{r.randint(32, 254)}.{r.randint(0, 254)}.{r.randint(1, 254)}"


def mac_address(r: Random) -> str:
    return r.choice(":-").join(f"{r.randint(1, 254):02{r.choice('xX')}}" for _ in range(6))


def us_ssn(r: Random) -> str:
    area = r.choice([*range(1, 666), *range(667, 900)])
    parts = [f"{area:03}", f"{r.randint(1, 99):02}", f"{r.randint(1, 9999):04}"]
    return r.choice(["-", "-", "-", " "]).join(parts)


def us_itin(r: Random) -> str:
    return f"9{digits(r, 2)}-{r.choice([70, 75, 80, 88, 90, 92, 94, 99])}-{digits(r, 4)}"


def us_mbi(r: Random) -> str:
    a = "ACDEFGHJKMNPQRTUVWXY"
    both = a + string.digits
    sets = ["123456789", a, both, string.digits, a, both, string.digits, a, a, string.digits, string.digits]
    made = "".join(r.choice(s) for s in sets)
    return f"{made[:4]}-{made[4:7]}-{made[7:]}" if r.random() < 0.6 else made


def uk_nino(r: Random) -> str:
    first = r.choice("ABCEGHJKLMNOPRSTWXYZ")
    given = {"BG", "GB", "NK", "KN", "NT", "TN", "ZZ"}
    pair = until(lambda: p if (p := first + r.choice("ABCEGHJKLMNPRSTWXYZ")) not in given else None)
    groups = [pair, digits(r, 2), digits(r, 2), digits(r, 2), r.choice("ABCD")]
    return r.choice([" ", ""]).join(groups)


def uk_nhs(r: Random) -> str:
    def make() -> str | None:
        body = digits(r, 9, r.choice("4679"))
        check = 11 - weighted(body, list(range(10, 1, -1))) % 11
        return None if check == 10 else body + str(check % 11)

    made = until(make)
    return f"{made[:3]} {made[3:6]} {made[6:]}" if r.random() < 0.7 else made


def de_tax_id(r: Random) -> str:
    order = r.sample("0123456789", 9)
    body = until(lambda: b if (b := "".join(r.sample([*order, order[0]], 10)))[0] != "0" else None)
    product = 10
    for d in body:
        total = (int(d) + product) % 10 or 10
        product = total * 2 % 11
    whole = body + str((11 - product) % 10)
    return f"{whole[:2]} {whole[2:5]} {whole[5:8]} {whole[8:]}" if r.random() < 0.4 else whole


def it_fiscal_code(r: Random) -> str:
    odd = dict(zip(string.digits, [1, 0, 5, 7, 9, 13, 15, 17, 19, 21], strict=True))
    odd |= dict(zip(string.ascii_uppercase, [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23], strict=True))
    body = r.choice(["RSSMRA", "BNCLCU", "VRDGPP", "FRRNNA"]) + f"{r.randint(40, 99)}{r.choice('ABCDEHLMPRST')}{r.randint(1, 28):02}"
    body += r.choice(["H501", "F205", "L219", "A944"])
    total = sum(odd[c] if i % 2 == 0 else int(c, 36) - (10 if c.isalpha() else 0) for i, c in enumerate(body))
    return body + string.ascii_uppercase[total % 26]


DNI = "TRWAGMYFPDXBNJZSQVHLCKE"


def es_dni(r: Random) -> str:
    number = r.randint(10_000_000, 99_999_999)
    return f"{number}{r.choice(['', '-'])}{DNI[number % 23]}"


def es_nie(r: Random) -> str:
    first, rest = r.choice("XYZ"), digits(r, 7)
    return f"{first}{rest}{DNI[int(str('XYZ'.index(first)) + rest) % 23]}"


def pl_pesel(r: Random) -> str:
    year, month, of_month = day(r)
    body = f"{year % 100:02}{month + (20 if year >= 2000 else 0):02}{of_month:02}{digits(r, 4)}"
    return body + str(-weighted(body, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3]) % 10)


def fi_hetu(r: Random) -> str:
    year, month, of_month = day(r)
    date, serial = f"{of_month:02}{month:02}{year % 100:02}", f"{r.randint(2, 899):03}"
    return f"{date}{'A' if year >= 2000 else '-'}{serial}{'0123456789ABCDEFHJKLMNPRSTUVWXY'[int(date + serial) % 31]}"


def se_personnummer(r: Random) -> str:
    year, month, of_month = day(r)
    body = f"{year % 100:02}{month:02}{of_month:02}{digits(r, 3)}"
    return f"{body[:6]}-{body[6:]}{luhn(body)}"


def verhoeff(body: str) -> str:
    def times(a: int, b: int) -> int:
        if a < 5:
            return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
        return 5 + (a - b) % 5 if b < 5 else (a - b) % 5

    turn = [1, 5, 7, 6, 2, 8, 3, 0, 9, 4]
    inverse = [0, 4, 3, 2, 1, 5, 6, 7, 8, 9]
    check = 0
    for place, d in enumerate(reversed(body), 1):
        value = int(d)
        for _ in range(place % 8):
            value = turn[value]
        check = times(check, value)
    return str(inverse[check])


def in_aadhaar(r: Random) -> str:
    body = digits(r, 11, r.choice("23456789"))
    whole = body + verhoeff(body)
    return r.choice([f"{whole[:4]} {whole[4:8]} {whole[8:]}", f"{whole[:4]}-{whole[4:8]}-{whole[8:]}", whole])


def in_pan(r: Random) -> str:
    letters = "".join(r.choice(string.ascii_uppercase) for _ in range(3))
    return f"{letters}P{r.choice(string.ascii_uppercase)}{r.randint(1, 9999):04}{r.choice(string.ascii_uppercase)}"


def au_tfn(r: Random) -> str:
    def make() -> str | None:
        body = digits(r, 9, r.choice("1234569"))
        return body if weighted(body, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0 else None

    made = until(make)
    return f"{made[:3]} {made[3:6]} {made[6:]}" if r.random() < 0.6 else made


def au_medicare(r: Random) -> str:
    body = digits(r, 8, r.choice("23456"))
    whole = f"{body}{weighted(body, [1, 3, 7, 9, 1, 3, 7, 9]) % 10}{r.randint(1, 5)}"
    return f"{whole[:4]} {whole[4:9]} {whole[9]}" if r.random() < 0.6 else whole


def ca_sin(r: Random) -> str:
    body = digits(r, 8, r.choice("1234567"))
    whole = body + luhn(body)
    return r.choice([f"{whole[:3]}-{whole[3:6]}-{whole[6:]}", f"{whole[:3]} {whole[3:6]} {whole[6:]}", whole])


def kr_rrn(r: Random) -> str:
    year, month, of_month = day(r, 1950, 1999)
    body = f"{year % 100:02}{month:02}{of_month:02}{r.choice('12')}0{r.randint(0, 8)}{digits(r, 3)}"
    check = (11 - weighted(body, [2, 3, 4, 5, 6, 7, 8, 9, 2, 3, 4, 5]) % 11) % 10
    return f"{body[:6]}-{body[6:]}{check}"


def th_tnin(r: Random) -> str:
    body = r.choice("1345678") + r.choice(["10", "11", "12", "13", "14", "40", "41", "50", "60", "70"]) + digits(r, 9)
    check = (11 - weighted(body, list(range(13, 1, -1))) % 11) % 10
    whole = f"{body}{check}"
    return whole


def tr_tckn(r: Random) -> str:
    body = digits(r, 9, r.choice("123456789"))
    tenth = (sum(int(d) for d in body[::2]) * 7 - sum(int(d) for d in body[1::2])) % 10
    return f"{body}{tenth}{(sum(int(d) for d in body) + tenth) % 10}"


def za_id(r: Random) -> str:
    year, month, of_month = day(r, 1950, 1999)
    body = f"{year % 100:02}{month:02}{of_month:02}{digits(r, 4)}0{r.choice('89')}"
    return body + luhn(body)


def sg_nric(r: Random) -> str:
    first, rest = r.choice("STFG"), digits(r, 7)
    total = weighted(rest, [2, 7, 6, 5, 4, 3, 2]) + (4 if first in "TG" else 0)
    return f"{first}{rest}{('JZIHGFEDCBA' if first in 'ST' else 'XWUTRQPNMLK')[total % 11]}"


def passport(r: Random) -> str:
    return r.choice([digits(r, 9, r.choice("345")), f"{r.choice('ACX')}{digits(r, 8)}", f"C01{r.choice('FGHJKLMNPRTVWXYZ')}{digits(r, 2)}{r.choice('FGHJK')}{digits(r, 2)}"])


def br_cpf(r: Random) -> str:
    body = digits(r, 9)
    for length in (10, 11):
        body += str(weighted(body, list(range(length, 1, -1))) * 10 % 11 % 10)
    return f"{body[:3]}.{body[3:6]}.{body[6:9]}-{body[9:]}"


def fr_nir(r: Random) -> str:
    year, month, _ = day(r)
    body = f"{r.choice('12')}{year % 100:02}{month:02}{r.randint(1, 95):02}{digits(r, 6)}"
    body = body.replace("20", "21", 1) if body[5:7] == "20" else body
    whole = f"{body}{97 - int(body) % 97:02}"
    return f"{whole[0]} {whole[1:3]} {whole[3:5]} {whole[5:7]} {whole[7:10]} {whole[10:13]} {whole[13:]}" if r.random() < 0.5 else whole


def nl_bsn(r: Random) -> str:
    def make() -> str | None:
        body = digits(r, 9, r.choice("12"))
        return body if weighted(body, [9, 8, 7, 6, 5, 4, 3, 2, -1]) % 11 == 0 else None

    return until(make)


def cn_resident_id(r: Random) -> str:
    year, month, of_month = day(r)
    body = f"{r.choice(['110105', '310104', '440305'])}{year}{month:02}{of_month:02}{digits(r, 3)}"
    return body + "10X98765432"[weighted(body, [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]) % 11]


def jp_my_number(r: Random) -> str:
    body = digits(r, 11)
    rest = weighted(body, [6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2]) % 11
    return body + str(0 if rest <= 1 else 11 - rest)


def medical_record(r: Random) -> str:
    return digits(r, r.choice([7, 8]), r.choice("0123"))


def date_of_birth(r: Random) -> str:
    year, month, of_month = day(r)
    name = "January February March April May June July August September October November December".split()[month - 1]
    return r.choice([f"{year}-{month:02}-{of_month:02}", f"{month:02}/{of_month:02}/{year}", f"{name} {of_month}, {year}", f"{of_month} {name} {year}"])


def secret(r: Random) -> str:
    letters = string.ascii_letters + string.digits
    tail = "".join(r.choice(letters) for _ in range(40)) + "7"
    return r.choice([f"sk-proj-{tail}", f"ghp_{tail[:36]}1", f"AKIA{''.join(r.choice(string.ascii_uppercase + '234567') for _ in range(15))}7", f"xoxb-{digits(r, 12)}-{tail[:24]}"])
