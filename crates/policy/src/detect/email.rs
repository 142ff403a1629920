//! E-mail addresses.

use super::text::Text;

/// Longest name before the `@`, of the standard.
const LOCAL_CHARS_MAX: usize = 64;
/// Longest domain, of the standard.
const DOMAIN_CHARS_MAX: usize = 255;

/// Ends of domains with four letters or more, of those that people have addresses in, and of
/// networks within a house; sorted. Shorter ones are believed.
#[rustfmt::skip]
const LONG_ENDS: &[&str] = &[
    "academy", "accountant", "accountants", "actor", "agency", "airforce", "amsterdam",
    "apartments", "archi", "army", "arpa", "arte", "asia", "associates", "attorney", "auction",
    "audi", "audio", "auto", "autos", "baby", "band", "bank", "barcelona", "bargains", "baseball",
    "basketball", "bayern", "beauty", "beer", "berlin", "best", "bible", "bike", "bingo", "black",
    "blackfriday", "blog", "bloomberg", "blue", "boats", "bond", "book", "boston", "boutique",
    "brussels", "build", "builders", "business", "cafe", "camera", "camp", "capetown", "capital",
    "cards", "care", "career", "careers", "casa", "cash", "casino", "catering", "catholic",
    "center", "cern", "chat", "cheap", "christmas", "church", "city", "claims", "cleaning", "click",
    "clinic", "clothing", "cloud", "club", "coach", "codes", "coffee", "college", "cologne",
    "community", "company", "computer", "condos", "construction", "consulting", "contact",
    "contractors", "cooking", "cool", "coop", "corp", "country", "coupons", "courses", "credit",
    "creditcard", "cricket", "cruises", "cymru", "dance", "date", "dating", "deals", "degree",
    "delivery", "democrat", "dental", "dentist", "design", "diamonds", "diet", "digital", "direct",
    "directory", "discount", "doctor", "domains", "download", "earth", "education", "email",
    "energy", "engineer", "engineering", "enterprises", "equipment", "estate", "events", "example",
    "exchange", "expert", "exposed", "express", "fail", "faith", "family", "fans", "farm",
    "fashion", "feedback", "film", "finance", "financial", "fish", "fishing", "fitness", "flights",
    "florist", "flowers", "football", "forex", "forsale", "forum", "foundation", "fund",
    "furniture", "futbol", "gallery", "game", "games", "garden", "gift", "gifts", "gives", "glass",
    "global", "gmbh", "gold", "golf", "graphics", "gratis", "green", "gripe", "group", "guide",
    "guitars", "guru", "hair", "hamburg", "haus", "health", "healthcare", "help", "helsinki",
    "hiphop", "hockey", "holdings", "holiday", "home", "homes", "horse", "hospital", "host",
    "hosting", "house", "immo", "immobilien", "industries", "info", "institute", "insurance",
    "insure", "internal", "international", "intranet", "invalid", "investments", "irish", "jetzt",
    "jewelry", "jobs", "joburg", "juegos", "kaufen", "kitchen", "kiwi", "koeln", "kyoto", "land",
    "lawyer", "lease", "legal", "life", "lighting", "limited", "limo", "link", "live", "loan",
    "loans", "local", "localdomain", "localhost", "london", "love", "ltda", "luxury", "madrid",
    "maison", "makeup", "management", "mango", "market", "marketing", "markets", "media",
    "melbourne", "memorial", "menu", "miami", "mobi", "moda", "money", "monster", "mortgage",
    "moscow", "museum", "music", "nagoya", "name", "navy", "network", "news", "ninja", "okinawa",
    "onion", "online", "organic", "osaka", "paris", "partners", "parts", "party", "photo",
    "photography", "photos", "pics", "pictures", "pink", "pizza", "place", "plumbing", "plus",
    "poker", "post", "press", "productions", "promo", "properties", "property", "protection",
    "quebec", "racing", "realestate", "recipes", "rehab", "reise", "reisen", "rent", "rentals",
    "repair", "report", "republican", "rest", "restaurant", "review", "reviews", "rich", "rocks",
    "rodeo", "ruhr", "saarland", "sale", "salon", "sarl", "school", "schule", "science", "scot",
    "services", "shoes", "shop", "shopping", "show", "singles", "site", "skin", "soccer", "social",
    "software", "solar", "solutions", "space", "sport", "sports", "store", "stream", "studio",
    "study", "style", "sucks", "supplies", "supply", "support", "surf", "surgery", "swiss",
    "sydney", "systems", "taipei", "tatar", "tattoo", "taxi", "team", "tech", "technology",
    "tennis", "test", "theater", "theatre", "tickets", "tienda", "tips", "tires", "tirol", "today",
    "tokyo", "tools", "tours", "town", "toys", "trade", "trading", "training", "travel", "tube",
    "university", "vacations", "vegas", "ventures", "versicherung", "viajes", "video", "villas",
    "vision", "vlaanderen", "vodka", "vote", "voting", "voto", "voyage", "wales", "wang", "watch",
    "webcam", "website", "wedding", "wien", "wiki", "wine", "work", "works", "world", "yachts",
    "yoga", "yokohama", "zone", "zuerich",
];

/// The bounds of the address whose `@` is at `at`, if it is one.
pub(super) fn find(text: Text<'_>, at: usize, cut: bool) -> Option<(usize, usize)> {
    let before = text.text.get(..at)?;
    let mut start = at;
    for (index, character) in before.char_indices().rev().take(LOCAL_CHARS_MAX) {
        if !(is_letter(character) || matches!(character, '.' | '_' | '%' | '+' | '-' | '\'')) {
            break;
        }
        start = index;
    }
    start += escaped(text, start, at);
    let local = text.text.get(start..at)?;
    let trimmed = local.trim_start_matches(['.', '\'', '-', '_', '+', '%']);
    // `git@` is how programs sign in, not a person.
    if trimmed.is_empty() || trimmed.ends_with('.') || trimmed == "git" {
        return None;
    }
    let end = at + 1 + domain(text.text.get(at + 1..)?, cut)?;
    // `@name.method(` is a program's.
    let program = matches!(text.byte(end), b'_' | b'(');
    (!program).then_some((at - trimmed.len(), end))
}

/// The rest of an escape, as in JSON within a text, that looks like the beginning of a name.
fn escaped(text: Text<'_>, start: usize, at: usize) -> usize {
    if text.before(start, 1) != b'\\' {
        return 0;
    }
    let length = match text.byte(start) {
        b'n' | b'r' | b't' | b'b' | b'f' => 1,
        b'u' if text.run(start + 1, 4, |byte| byte.is_ascii_hexdigit()) == 4 => 5,
        _ => 0,
    };
    length.min(at - start)
}

/// How long the domain at the start of `text` is, if it is one: labels with a dot, the last
/// of letters. In a text that was cut, what ends within the domain is one.
fn domain(text: &str, cut: bool) -> Option<usize> {
    let mut end = 0;
    for (index, character) in text.char_indices().take(DOMAIN_CHARS_MAX) {
        if !(is_letter(character) || matches!(character, '.' | '-')) {
            break;
        }
        end = index + character.len_utf8();
    }
    let mut domain = text.get(..end)?.trim_end_matches(['.', '-']);
    let cut = cut && end == text.len() && !domain.is_empty();
    // A sentence may go on without a blank: `jane@example.com.Next`.
    if let Some(dots) = domain.find("..") {
        domain = domain.get(..dots)?;
    }
    let whole = domain
        .rsplit_once('.')
        .is_some_and(|(rest, last)| !rest.is_empty() && !rest.starts_with('.') && is_end(last));
    if whole || cut { Some(domain.len()) } else { None }
}

/// Whether a domain may end so.
fn is_end(last: &str) -> bool {
    let letters = last.chars().all(char::is_alphabetic);
    match last.len() {
        0 | 1 => false,
        2 | 3 => letters,
        _ if !last.is_ascii() => letters,
        _ => {
            last.starts_with("xn--")
                || LONG_ENDS.binary_search(&&*last.to_ascii_lowercase()).is_ok()
        }
    }
}

/// Letters of scripts that are written with blanks between words: in others a name would
/// swallow the sentence around it.
fn is_letter(character: char) -> bool {
    character.is_ascii_alphanumeric()
        || (('\u{C0}'..='\u{52F}').contains(&character) && character.is_alphanumeric())
}
