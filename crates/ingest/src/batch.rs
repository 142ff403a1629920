//! A delivery: one item, or an array of them.

use crate::error::DeliveryError;
use serde_json::value::RawValue;

/// Items of a delivery at most.
pub const ITEMS_MAX: usize = 1_000;
/// Bytes of a delivery at most, unpacked.
pub const DELIVERY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The items of a delivery, as they stand in it.
pub(crate) fn items(body: &[u8]) -> Result<Vec<&RawValue>, DeliveryError> {
    let malformed = |error: serde_json::Error| {
        DeliveryError::Malformed(format!("the body is not JSON: {error}"))
    };
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let items: Vec<&RawValue> = match first {
        Some(b'[') => serde_json::from_slice(body).map_err(malformed)?,
        Some(b'{') => vec![serde_json::from_slice(body).map_err(malformed)?],
        _ => {
            let what = "the body is neither an object nor an array of objects".to_owned();
            return Err(DeliveryError::Malformed(what));
        }
    };
    match items.len() {
        0 => {
            Err(DeliveryError::Malformed("the array is empty; deliver 1 to 1000 items".to_owned()))
        }
        1..=ITEMS_MAX => Ok(items),
        count => Err(DeliveryError::TooMany { items: count, items_max: ITEMS_MAX }),
    }
}

/// The id of an item that could not be read whole.
pub(crate) fn id_of(raw: &RawValue) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    serde_json::from_str::<Named>(raw.get()).ok().map(|named| named.id)
}
