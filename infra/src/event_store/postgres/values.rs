//! Values as Postgres keeps them, where the driver's own would change them.

use std::borrow::Cow;

use bytes::Bytes;
use domain::values::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo, PgValueRef};
use sqlx::{Decode, Encode, Postgres, Type};

use crate::event_store::StoreError;

/// A `json` text, byte for byte. The driver's own is `jsonb`, which sorts keys and drops spaces.
pub struct JsonText<'a>(pub Cow<'a, [u8]>);

impl<'a> JsonText<'a> {
    /// The text as it is.
    pub fn of(text: &'a [u8]) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// A row that this program reads again.
    pub fn from_row(row: &impl Serialize) -> Result<JsonText<'static>, StoreError> {
        let text = serde_json::to_vec(row).map_err(corrupt)?;
        Ok(JsonText(Cow::Owned(text)))
    }

    /// Reads [`Self::from_row`].
    pub fn to_row<T: DeserializeOwned>(&self) -> Result<T, StoreError> {
        serde_json::from_slice(&self.0).map_err(corrupt)
    }

    /// The text, to be kept.
    pub fn into_bytes(self) -> Bytes {
        self.0.into_owned().into()
    }
}

impl Type<Postgres> for JsonText<'_> {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(114))
    }
}

impl PgHasArrayType for JsonText<'_> {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(199))
    }
}

impl Encode<'_, Postgres> for JsonText<'_> {
    fn encode_by_ref(&self, to: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        to.extend_from_slice(&self.0);
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for JsonText<'static> {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        // As text and in binary it is the same.
        Ok(Self(Cow::Owned(value.as_bytes()?.to_vec())))
    }
}

/// A `timestamptz`, to the microsecond.
#[derive(Debug, Clone, Copy)]
pub struct Micros(i64);

/// Postgres counts from 2000-01-01.
const EPOCH: i64 = 946_684_800_000_000;

impl From<Timestamp> for Micros {
    fn from(time: Timestamp) -> Self {
        Self(time.as_micros() - EPOCH)
    }
}

impl From<Micros> for Timestamp {
    fn from(time: Micros) -> Self {
        Self::from_micros(time.0.saturating_add(EPOCH))
    }
}

impl Type<Postgres> for Micros {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1184))
    }
}

impl PgHasArrayType for Micros {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(Oid(1185))
    }
}

impl Encode<'_, Postgres> for Micros {
    fn encode_by_ref(&self, to: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        to.extend_from_slice(&self.0.to_be_bytes());
        Ok(IsNull::No)
    }
}

impl Decode<'_, Postgres> for Micros {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        Ok(Self(i64::from_be_bytes(value.as_bytes()?.try_into()?)))
    }
}

/// A number as Postgres has it; one past all numbers is the last.
pub fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// How many rows; one past all numbers is the last.
pub fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// Reads [`int`].
pub fn number(int: i64) -> Result<u64, StoreError> {
    u64::try_from(int).map_err(|_| corrupt(format!("the number {int}")))
}

/// Something stored that cannot be read.
pub fn corrupt(what: impl std::fmt::Display) -> StoreError {
    StoreError::Corrupt(what.to_string())
}
