//! Answers that are catalogues or states. They are read seldom, so plainly: a wrong shape is an error that names the request.

use crate::wire::AccountState;
use serde::Deserialize;

/// An answer that is not what its request has.
#[derive(Debug, thiserror::Error)]
#[error("the answer to {request} is refused")]
pub struct AnswerError {
    /// The request's type.
    pub request: &'static str,
    /// The parser's word, with line and column.
    #[source]
    pub source: serde_json::Error,
}

/// `meta`: the perp markets of one dex; the index in `universe` is the asset id, delisted ones stay in place.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Markets.
    pub universe: Vec<PerpAsset>,
    /// Token index of the collateral.
    #[serde(default)]
    pub collateral_token: Option<u64>,
}

/// A perp market.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PerpAsset {
    /// Name as fills carry it (`xyz:` prefix included).
    pub name: String,
    /// Decimals of sizes, at most 6.
    pub sz_decimals: u32,
    /// Highest leverage.
    pub max_leverage: u64,
    /// No longer traded.
    #[serde(default)]
    pub is_delisted: bool,
}

/// A dex of `perpDexs`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PerpDex {
    /// Its name, the prefix of its coins.
    pub name: String,
    /// Display name.
    #[serde(default)]
    pub full_name: Option<String>,
    /// Who deployed it.
    #[serde(default)]
    pub deployer: Option<String>,
}

/// `spotMeta`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SpotMeta {
    /// Pairs.
    pub universe: Vec<SpotPair>,
    /// Tokens.
    pub tokens: Vec<SpotToken>,
}

/// A spot pair.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct SpotPair {
    /// `PURR/USDC` or `@107`.
    pub name: String,
    /// Its index.
    pub index: u64,
    /// Token indices, base and quote.
    pub tokens: Vec<u64>,
}

/// A token.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SpotToken {
    /// Name.
    pub name: String,
    /// Its index.
    pub index: u64,
    /// Decimals of sizes.
    pub sz_decimals: u32,
}

/// Reads the answer to `meta`.
///
/// # Errors
/// [`AnswerError`] when the body is something else.
pub fn meta(body: &[u8]) -> Result<Meta, AnswerError> {
    read("meta", body)
}

/// Reads the answer to `perpDexs`: `null` stands for the main dex, whose place is `None`; the index is the dex's number.
///
/// # Errors
/// [`AnswerError`] when the body is something else.
pub fn perp_dexs(body: &[u8]) -> Result<Vec<Option<PerpDex>>, AnswerError> {
    read("perpDexs", body)
}

/// Reads the answer to `spotMeta`.
///
/// # Errors
/// [`AnswerError`] when the body is something else.
pub fn spot_meta(body: &[u8]) -> Result<SpotMeta, AnswerError> {
    read("spotMeta", body)
}

/// Reads the answer to `clearinghouseState`.
///
/// # Errors
/// [`AnswerError`] when the body is something else.
pub fn account_state(body: &[u8]) -> Result<AccountState<'_>, AnswerError> {
    read("clearinghouseState", body)
}

fn read<'a, T: Deserialize<'a>>(request: &'static str, body: &'a [u8]) -> Result<T, AnswerError> {
    serde_json::from_slice(body).map_err(|source| AnswerError { request, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogues_are_read() {
        let body = br#"{"universe":[{"name":"BTC","szDecimals":5,"maxLeverage":40,"marginTableId":56},
            {"name":"OLD","szDecimals":0,"maxLeverage":3,"isDelisted":true}],"collateralToken":0}"#;
        let read = meta(body).unwrap();
        assert_eq!(read.universe.len(), 2);
        assert!(read.universe[1].is_delisted && !read.universe[0].is_delisted);

        let dexs =
            perp_dexs(br#"[null,{"name":"xyz","fullName":"XYZ","deployer":"0x1","other":{}}]"#).unwrap();
        assert!(dexs[0].is_none());
        assert_eq!(dexs[1].as_ref().unwrap().name, "xyz");

        let spot = spot_meta(
            br#"{"universe":[{"name":"@107","index":107,"tokens":[150,0],"isCanonical":false}],
                "tokens":[{"name":"HYPE","szDecimals":2,"weiDecimals":8,"index":150}]}"#,
        )
        .unwrap();
        assert_eq!(spot.universe[0].tokens, [150, 0]);
    }

    #[test]
    fn another_shape_names_the_request() {
        assert_eq!(meta(b"[]").unwrap_err().to_string(), "the answer to meta is refused");
        assert!(account_state(b"null").is_err());
    }
}
