//! Money: whole minor units and a currency.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Invalid;

/// The largest amount, 2^53-1 minor units: the largest integer that every JSON reader keeps exact.
pub const MAX_AMOUNT: u64 = (1 << 53) - 1;

/// Minor units of some currency, 0 to [`MAX_AMOUNT`].
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(try_from = "u64", into = "u64")]
pub struct Amount(u64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The minor units.
    pub fn minor_units(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Amount {
    type Error = Invalid;

    fn try_from(units: u64) -> Result<Self, Invalid> {
        if units <= MAX_AMOUNT {
            Ok(Self(units))
        } else {
            Err(Invalid::new("must be at most 9007199254740991 minor units"))
        }
    }
}

impl From<Amount> for u64 {
    fn from(amount: Amount) -> Self {
        amount.0
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What one unit costs, 1 to [`MAX_AMOUNT`] minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct UnitPrice(u64);

impl UnitPrice {
    /// The minor units.
    pub fn minor_units(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for UnitPrice {
    type Error = Invalid;

    fn try_from(units: u64) -> Result<Self, Invalid> {
        if (1..=MAX_AMOUNT).contains(&units) {
            Ok(Self(units))
        } else {
            Err(Invalid::new("must be 1 to 9007199254740991 minor units"))
        }
    }
}

impl From<UnitPrice> for u64 {
    fn from(price: UnitPrice) -> Self {
        price.0
    }
}

/// An ISO 4217 code of a currency that is in circulation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// ISO 4217, the active codes of national currencies.
const CODES: &str = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD \
    BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD \
    FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES \
    KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR \
    MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB \
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD \
    TWD TZS UAH UGX USD UYU UZS VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG";

impl Currency {
    /// The code.
    pub fn as_str(&self) -> &str {
        // The bytes are ASCII letters, checked when the value was built.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl FromStr for Currency {
    type Err = Invalid;

    fn from_str(code: &str) -> Result<Self, Invalid> {
        match <[u8; 3]>::try_from(code.as_bytes()) {
            Ok(bytes) if CODES.split_ascii_whitespace().any(|known| known == code) => {
                Ok(Self(bytes))
            }
            _ => Err(Invalid::new(
                "must be an ISO 4217 code in capitals, such as EUR",
            )),
        }
    }
}

impl TryFrom<String> for Currency {
    type Error = Invalid;

    fn try_from(code: String) -> Result<Self, Invalid> {
        code.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
