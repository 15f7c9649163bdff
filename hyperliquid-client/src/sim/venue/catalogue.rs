//! Which markets there are, and the `meta` family of info answers about them. Everything a market's name does not tell
//! (size decimals, leverage) is a plausible constant.

use std::collections::BTreeMap;

use super::super::fill::{dex_of, is_perp};
use super::frames::{list, quote};

/// Known markets with their last price as printed.
#[derive(Debug, Default)]
pub(super) struct Catalogue {
    marks: BTreeMap<String, String>,
}

impl Catalogue {
    pub(super) fn set(&mut self, coin: &str, px: &str) {
        match self.marks.get_mut(coin) {
            Some(mark) => px.clone_into(mark),
            None => {
                self.marks.insert(coin.to_owned(), px.to_owned());
            }
        }
    }

    pub(super) fn knows(&self, coin: &str) -> bool {
        self.marks.contains_key(coin)
    }

    pub(super) fn px(&self, coin: &str) -> Option<f64> {
        self.marks.get(coin)?.parse().ok()
    }

    /// Prices of one feed: the main one has spot too, but no HIP-3.
    pub(super) fn marks(&self, dex: &str) -> impl Iterator<Item = (&str, &str)> {
        self.marks
            .iter()
            .filter(move |(coin, _)| dex_of(coin) == dex)
            .map(|(coin, px)| (coin.as_str(), px.as_str()))
    }

    /// Names of the dexes, the main one (empty) first.
    pub(super) fn dexes(&self) -> Vec<&str> {
        let mut dexes: Vec<&str> = vec![""];
        dexes.extend(self.marks.keys().filter(|coin| is_perp(coin)).map(|coin| dex_of(coin)));
        dexes.sort_unstable();
        dexes.dedup();
        dexes
    }

    pub(super) fn meta(&self, dex: &str) -> String {
        let universe: Vec<String> = self
            .marks
            .keys()
            .filter(|coin| is_perp(coin) && dex_of(coin) == dex)
            .map(|coin| {
                format!(r#"{{"szDecimals":5,"name":{},"maxLeverage":40,"marginTableId":56}}"#, quote(coin))
            })
            .collect();
        format!(r#"{{"universe":{},"marginTables":[],"collateralToken":0}}"#, list(&universe))
    }

    pub(super) fn perp_dexs(&self) -> String {
        let mut rows = vec!["null".to_owned()];
        rows.extend(self.dexes().into_iter().filter(|dex| !dex.is_empty()).map(|dex| {
            let name = quote(dex);
            format!(r#"{{"name":{name},"fullName":{name},"deployer":"0x{:040x}","oracleUpdater":null}}"#, 1)
        }));
        list(&rows)
    }

    pub(super) fn spot_meta(&self) -> String {
        let mut tokens = vec![
            r#"{"name":"USDC","szDecimals":8,"weiDecimals":8,"index":0,"tokenId":"0x6d1e7cde53ba9467b783cb7c530ce054","isCanonical":true}"#.to_owned(),
        ];
        let mut universe = Vec::new();
        for coin in self.marks.keys() {
            let (base, index, canonical) = match (coin.strip_prefix('@'), coin.split_once('/')) {
                (Some(index), _) => (format!("T{index}"), index.parse().unwrap_or(u64::MAX), false),
                (None, Some((base, _))) => (base.to_owned(), 0, true),
                (None, None) => continue,
            };
            let token = tokens.len();
            tokens.push(format!(
                r#"{{"name":{},"szDecimals":2,"weiDecimals":8,"index":{token},"tokenId":"0x{token:032x}","isCanonical":{canonical}}}"#,
                quote(&base)
            ));
            universe.push(format!(
                r#"{{"tokens":[{token},0],"name":{},"index":{index},"isCanonical":{canonical}}}"#,
                quote(coin)
            ));
        }
        format!(r#"{{"universe":{},"tokens":{}}}"#, list(&universe), list(&tokens))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn catalogues_are_json_and_hold_each_market_once() {
        let mut catalogue = Catalogue::default();
        for coin in ["BTC", "kPEPE", "xyz:CL", "@107", "PURR/USDC", "#2310"] {
            catalogue.set(coin, "1.5");
        }
        let json = |text: String| serde_json::from_str::<Value>(&text).unwrap();
        let names = |value: &Value| -> Vec<String> {
            value["universe"]
                .as_array()
                .unwrap()
                .iter()
                .map(|row| row["name"].as_str().unwrap().to_owned())
                .collect()
        };
        assert_eq!(names(&json(catalogue.meta(""))), ["BTC", "kPEPE"]);
        assert_eq!(names(&json(catalogue.meta("xyz"))), ["xyz:CL"]);
        assert_eq!(names(&json(catalogue.spot_meta())), ["@107", "PURR/USDC"]);
        let dexs = json(catalogue.perp_dexs());
        assert!(dexs[0].is_null() && dexs[1]["name"] == "xyz");
        assert_eq!(catalogue.dexes(), ["", "xyz"]);
        assert_eq!(catalogue.marks("").count(), 5);
    }
}
