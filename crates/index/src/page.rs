//! Pages by key. A page cursor is opaque and bound to the query that it continues.

use crate::{Error, Result};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

/// Items on a page where the caller does not say.
pub const PAGE_LIMIT_DEFAULT: u32 = 50;
/// Most items on a page.
pub const PAGE_LIMIT_MAX: u32 = 500;
/// Version of the cursor's form.
const FORM: u8 = 1;
const HEAD_BYTES: usize = 17;
/// Page cursors are short; longer ones are not ours.
const TEXT_BYTES_MAX: usize = 256;

/// How much of a list, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Items at most; backends clamp it to 1 ..= [`PAGE_LIMIT_MAX`].
    pub limit: u32,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

/// Where a page ended: the sort key of its last item, and that item's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageKey {
    /// Value of the sort column, as an integer in the backend's own scale.
    pub key: i64,
    /// The row, to tell items with equal keys apart.
    pub row: i64,
}

// === impl Page ===

impl Page {
    /// The first page with this many items.
    pub const fn first(limit: u32) -> Self {
        Self { limit, cursor: None }
    }

    /// The items that this page may hold.
    pub fn limit(&self) -> usize {
        self.limit.clamp(1, PAGE_LIMIT_MAX) as usize
    }

    /// Where to go on, for this query.
    ///
    /// # Errors
    /// [`Error::BadCursor`] for what is no cursor, [`Error::ForeignCursor`] for another query's.
    pub fn start(&self, query: &impl Serialize) -> Result<Option<PageKey>> {
        self.cursor.as_deref().map(|text| PageKey::decode(text, query)).transpose()
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(PAGE_LIMIT_DEFAULT)
    }
}

// === impl PageKey ===

impl PageKey {
    /// The cursor that continues this query behind this key.
    pub fn encode(self, query: &impl Serialize) -> String {
        let mut bytes = Vec::with_capacity(HEAD_BYTES + 16);
        bytes.push(FORM);
        bytes.extend_from_slice(&self.key.to_le_bytes());
        bytes.extend_from_slice(&self.row.to_le_bytes());
        let check = fnv(FNV_START, &bytes);
        bytes.extend_from_slice(&check.to_le_bytes());
        bytes.extend_from_slice(&fingerprint(query, check).to_le_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn decode(text: &str, query: &impl Serialize) -> Result<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(Error::BadCursor);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Error::BadCursor)?;
        let (head, rest) = bytes.split_at_checked(HEAD_BYTES).ok_or(Error::BadCursor)?;
        let (check, bound) = rest.split_at_checked(8).ok_or(Error::BadCursor)?;
        let expected = fnv(FNV_START, head);
        if head[0] != FORM || check != expected.to_le_bytes() || bound.len() != 8 {
            return Err(Error::BadCursor);
        }
        if bound != fingerprint(query, expected).to_le_bytes() {
            return Err(Error::ForeignCursor);
        }
        let number = |at: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&head[at..at + 8]);
            i64::from_le_bytes(eight)
        };
        Ok(Self { key: number(1), row: number(9) })
    }
}

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1a. A cursor gives no rights, so a checksum is enough: it catches slips, not attacks.
fn fnv(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn fingerprint(query: &impl Serialize, check: u64) -> u64 {
    fnv(check, &serde_json::to_vec(query).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn keys_round_trip_for_their_own_query(key: i64, row: i64) {
            let text = PageKey { key, row }.encode(&"a");
            let page = Page { limit: 1, cursor: Some(text) };
            prop_assert_eq!(page.start(&"a").unwrap(), Some(PageKey { key, row }));
            prop_assert!(matches!(page.start(&"b"), Err(Error::ForeignCursor)));
        }

        #[test]
        fn a_changed_character_is_noticed(at in 0_usize..44, to in "[A-Za-z0-9_-]") {
            let mut text = PageKey { key: 5, row: 7 }.encode(&"a");
            prop_assume!(at < text.len() && text[at..=at] != to);
            text.replace_range(at..=at, &to);
            let page = Page { limit: 1, cursor: Some(text) };
            prop_assert!(page.start(&"a").is_err());
        }

        #[test]
        fn any_text_is_a_cursor_or_an_error(text in "\\PC{0,80}") {
            let page = Page { limit: 1, cursor: Some(text) };
            prop_assert!(page.start(&"a").is_err());
        }
    }
}
