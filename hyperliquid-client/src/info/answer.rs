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

/// `userRole`: what kind of account an address is. Shapes as documented in 2026; other roles are kept by name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct UserRole {
    /// `user`, `agent`, `vault`, `subAccount`, `missing`.
    pub role: String,
    /// Whose it is, where it belongs to another.
    #[serde(default)]
    pub data: Option<RoleOwner>,
}

/// Whom an agent or a sub-account belongs to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
pub struct RoleOwner {
    /// Of an agent: the account it trades for.
    #[serde(default)]
    pub user: Option<String>,
    /// Of a sub-account: its master.
    #[serde(default)]
    pub master: Option<String>,
}

/// One of `subAccounts`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct SubAccount {
    /// Its name.
    #[serde(default)]
    pub name: String,
    /// Its address: an account of its own, with fills and positions of its own.
    pub sub_account_user: String,
}

/// Reads the answer to `userRole`.
///
/// # Errors
/// [`AnswerError`] when the body is something else.
pub fn user_role(body: &[u8]) -> Result<UserRole, AnswerError> {
    read("userRole", body)
}

/// Reads the answer to `subAccounts`; `null` stands for none.
///
/// # Errors
/// [`AnswerError`] when the body is something else.
pub fn sub_accounts(body: &[u8]) -> Result<Vec<SubAccount>, AnswerError> {
    Ok(read::<Option<Vec<SubAccount>>>("subAccounts", body)?.unwrap_or_default())
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
    fn roles_and_sub_accounts_are_read() {
        let agent = user_role(br#"{"role":"agent","data":{"user":"0xaa"}}"#).unwrap();
        assert_eq!((agent.role.as_str(), agent.data.unwrap().user.as_deref()), ("agent", Some("0xaa")));
        assert_eq!(user_role(br#"{"role":"user"}"#).unwrap().data, None);
        let subs = sub_accounts(br#"[{"name":"x","subAccountUser":"0xbb","master":"0xaa","spotState":{}}]"#);
        assert_eq!(subs.unwrap()[0].sub_account_user, "0xbb");
        assert_eq!(sub_accounts(b"null").unwrap(), []);
    }

    #[test]
    fn another_shape_names_the_request() {
        assert_eq!(meta(b"[]").unwrap_err().to_string(), "the answer to meta is refused");
        assert!(account_state(b"null").is_err());
    }
}
