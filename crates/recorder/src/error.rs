//! Why a record could not be written or read.

/// Why a record could not be written. The call that it belongs to must be refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The journal refused it.
    #[error("the record cannot be written: {0}")]
    Journal(#[from] journal::Error),
    /// The key store refused it.
    #[error("the record cannot be sealed: {0}")]
    Seal(#[from] seal::Error),
    /// More events than a record may hold.
    #[error("a record holds 1 to {EVENTS_MAX} events, not {0}; write several records")]
    Events(usize),
    /// A body was longer than a record may hold.
    #[error("the body exceeds the recordable {BODY_BYTES_MAX} bytes; raise no limit beyond it")]
    BodyTooLong,
    /// The leaf would not fit its 16-bit length.
    #[error("the record's leaf would exceed 65535 bytes; write several records")]
    LeafTooLong,
}

/// Events in one record at most.
pub const EVENTS_MAX: usize = 64;
/// Plain bytes of one body at most: as many parts as an open frame can place.
pub const BODY_BYTES_MAX: u64 = (record::EARLY_PARTS_MAX as u64) * (record::PIECE_BYTES_MAX as u64);

/// Why a stored record could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The journal could not be read.
    #[error(transparent)]
    Journal(#[from] journal::Error),
    /// The frames do not make up a record.
    #[error("the record at {at} is damaged: {what}; run `audit-layer verify`")]
    Damaged {
        /// Where it stands.
        at: journal::Position,
        /// What is wrong.
        what: String,
    },
    /// The key store cannot answer.
    #[error(transparent)]
    Seal(#[from] seal::Error),
}
