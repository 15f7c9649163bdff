//! What was processed last, kept in a Redis for whoever goes on elsewhere: one writer at a time, fenced by an epoch that only rises.
//!
//! - `{prefix}:lease`: a hash, `holder` and `epoch` of the writer; it expires unless it is renewed.
//! - `{prefix}:epoch`: the highest epoch of any writer, unix ms or more. It never expires: a write of a lower one is refused by the server.
//! - `{prefix}:states`: the set of all ids of which there is a state.
//! - `{prefix}:state:{id}`: a hash, the fields of [`Image`]; `epoch` among them.
//! - `{prefix}:state:{id}:{market}`: a text, the same of one market.
//!
//! The store moves opaque values: what is in them is the caller's. It reads no clock and keeps no connection: the client it is given is
//! connected by the caller, and every answer is waited for at most [`ANSWER_MAX`]. On a cluster the keys must lie together: the prefix
//! carries a hash tag there (`{ingestion}`).

use std::{collections::BTreeMap, time::Duration};

use fred::{
    clients::Client,
    error::{Error, ErrorKind},
    interfaces::{ClientLike, HashesInterface, LuaInterface, SetsInterface},
    types::{ClusterHash, CustomCommand, Map, Value},
};
use tokio::time::timeout;

pub use fred;

const ACQUIRE: &str = include_str!("store/acquire.lua");
const RENEW: &str = include_str!("store/renew.lua");
const RELEASE: &str = include_str!("store/release.lua");
const WRITE: &str = include_str!("store/write.lua");

/// For one answer, or the answers to one pipeline.
pub const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The states below one prefix of a Redis. See the module.
#[derive(Clone)]
pub struct Store {
    client: Client,
    prefix: String,
}

/// What came of asking for the lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Acquired {
    /// It is ours, and so is this epoch: higher than any before.
    Ours {
        /// The epoch to write with.
        epoch: u64,
    },
    /// Somebody else has it.
    Held {
        /// Who.
        holder: String,
        /// When it expires, if it is not renewed; nothing where it never does (no writer of this crate leaves it so).
        left: Option<Duration>,
        /// The highest epoch.
        epoch: u64,
    },
    /// It is free, but the Redis has forgotten what it knew: who wrote last may be there still, and is to be let first.
    Forgotten,
}

/// What came of renewing the lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Renewed {
    /// It is ours for another while.
    Kept,
    /// The same, and the Redis had forgotten the lease or our epoch: what else it has forgotten is to be written again.
    Raised,
    /// Another one writes.
    Lost {
        /// Who; empty where only an epoch is known.
        holder: String,
        /// The highest epoch.
        epoch: u64,
    },
}

/// What came of writing one state.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Written {
    /// It is there.
    Taken,
    /// It is there, and the Redis knew no epoch as high as ours.
    Raised,
    /// Another one writes with a higher epoch: nothing was changed.
    Stale,
}

/// One state to write.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Image {
    /// Whose; the end of its keys.
    pub id: String,
    /// The fields of the hash; those of another name stay as they are.
    pub fields: Vec<(String, Vec<u8>)>,
    /// Markets and what is kept of them.
    pub markets: Vec<(String, Vec<u8>)>,
}

/// The fields of one state, as they were written.
pub type Fields = BTreeMap<String, Vec<u8>>;

impl Store {
    /// The states below `prefix`, reached through a client that is connected.
    #[must_use]
    pub fn new(client: Client, prefix: impl Into<String>) -> Self {
        Self { client, prefix: prefix.into() }
    }

    /// Takes the lease where it is free or expired, unless no epoch as high as `least` is known: then [`Acquired::Forgotten`]. The epoch will
    /// be `wanted` or, where that is not higher than every one before, the next one. `holder` is not empty, and of one writer only. `lease`
    /// is at least a millisecond.
    ///
    /// # Errors
    /// The Redis does not answer, or refuses.
    pub async fn acquire(
        &self,
        holder: &str,
        wanted: u64,
        least: u64,
        lease: Duration,
    ) -> Result<Acquired, Error> {
        let [ours, number, held, epoch] = self.lease(ACQUIRE, holder, &[wanted, least], lease).await?;
        Ok(match ours.as_str() {
            "1" => Acquired::Ours { epoch: whole(&number)? },
            "2" => Acquired::Forgotten,
            _ => {
                let left = number.parse().ok().map(Duration::from_millis);
                Acquired::Held { holder: held, left, epoch: whole(&epoch)? }
            }
        })
    }

    /// Keeps the lease, or takes it back where the Redis has forgotten it and nobody else took it. `epoch` may be higher than the one it
    /// was taken with.
    ///
    /// # Errors
    /// The Redis does not answer, or refuses: whether it was renewed is unknown.
    pub async fn renew(&self, holder: &str, epoch: u64, lease: Duration) -> Result<Renewed, Error> {
        let [kept, number, held, _] = self.lease(RENEW, holder, &[epoch], lease).await?;
        Ok(match kept.as_str() {
            "1" => Renewed::Kept,
            "2" => Renewed::Raised,
            _ => Renewed::Lost { holder: held, epoch: whole(&number)? },
        })
    }

    /// Gives the lease back, where it is ours: the next one need not wait for its end.
    ///
    /// # Errors
    /// The Redis does not answer, or refuses.
    pub async fn release(&self, holder: &str) -> Result<(), Error> {
        let keys = vec![self.key("lease")];
        answered(self.client.eval::<Value, _, _, _>(RELEASE, keys, vec![holder.to_owned()])).await.map(drop)
    }

    /// Writes states, each in one atomic step, all in one pipeline; one answer each, in their order. After [`Written::Stale`] the writer has
    /// to stop.
    ///
    /// # Errors
    /// The Redis does not answer, or refuses: which of them were written is unknown, and writing them again does no harm.
    pub async fn write(&self, epoch: u64, images: &[Image]) -> Result<Vec<Written>, Error> {
        let pipeline = self.client.pipeline();
        for image in images {
            let state = format!("state:{}", image.id);
            let markets = image.markets.iter().map(|(market, _)| self.key(&format!("{state}:{market}")));
            let own = [self.key("epoch"), self.key("states"), self.key(&state)];
            let keys: Vec<String> = own.into_iter().chain(markets).collect();
            let fields = image.fields.iter().flat_map(|(name, value)| [name.as_str().into(), bytes(value)]);
            let head = [epoch.to_string(), image.id.clone(), image.fields.len().to_string()].map(Value::from);
            let values = image.markets.iter().map(|(_, value)| bytes(value));
            let script = [Value::from(WRITE), Value::from(keys.len().to_string())];
            let keys = keys.into_iter().map(Value::from);
            let words = script.into_iter().chain(keys).chain(head).chain(fields).chain(values);
            // Scripts go into no pipeline of the client by their own name.
            let eval = CustomCommand::new_static("EVAL", ClusterHash::Offset(2), false);
            let () = pipeline.custom(eval, words.collect::<Vec<_>>()).await?;
        }
        let answers = answered(async { pipeline.all::<Vec<i64>>().await }).await?;
        let written = |answer: i64| match answer {
            1 => Written::Taken,
            2 => Written::Raised,
            _ => Written::Stale,
        };
        Ok(answers.into_iter().map(written).collect())
    }

    /// The ids of all states there are.
    ///
    /// # Errors
    /// The Redis does not answer, or refuses.
    pub async fn ids(&self) -> Result<Vec<String>, Error> {
        answered(self.client.smembers(self.key("states"))).await
    }

    /// Reads states; nothing for an id of which there is none.
    ///
    /// # Errors
    /// The Redis does not answer, or refuses.
    pub async fn read(&self, ids: &[String]) -> Result<Vec<Option<Fields>>, Error> {
        let mut states = Vec::with_capacity(ids.len());
        for some in ids.chunks(READ_AT_ONCE) {
            let pipeline = self.client.pipeline();
            for id in some {
                let () = pipeline.hgetall(self.key(&format!("state:{id}"))).await?;
            }
            let answers = answered(async { pipeline.all::<Vec<Value>>().await }).await?;
            for answer in answers {
                let fields = fields(answer.into_map()?)?;
                states.push((!fields.is_empty()).then_some(fields));
            }
        }
        Ok(states)
    }

    async fn lease(
        &self,
        script: &'static str,
        holder: &str,
        epochs: &[u64],
        lease: Duration,
    ) -> Result<[String; 4], Error> {
        let keys = vec![self.key("lease"), self.key("epoch")];
        let epochs = epochs.iter().map(u64::to_string);
        let arguments = std::iter::once(holder.to_owned()).chain(epochs);
        let arguments: Vec<String> = arguments.chain([lease.as_millis().to_string()]).collect();
        let answer: Value = answered(self.client.eval(script, keys, arguments)).await?;
        let texts: Option<Vec<String>> = answer.into_array().into_iter().map(Value::into_string).collect();
        let texts = texts.and_then(|texts| texts.try_into().ok());
        texts.ok_or_else(|| Error::new(ErrorKind::Parse, "an answer of another shape"))
    }

    fn key(&self, end: &str) -> String {
        format!("{}:{end}", self.prefix)
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// States read in one pipeline.
const READ_AT_ONCE: usize = 64;

async fn answered<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || Error::new(ErrorKind::Timeout, format!("no answer within {} s", ANSWER_MAX.as_secs()));
    timeout(ANSWER_MAX, answer).await.unwrap_or_else(|_| Err(late()))
}

fn bytes(value: &[u8]) -> Value {
    Value::from(value)
}

fn fields(map: Map) -> Result<Fields, Error> {
    let odd = || Error::new(ErrorKind::Parse, "a state with a field that is no text");
    let field =
        |(name, value): (fred::types::Key, Value)| Some((name.into_string()?, value.into_bytes()?.to_vec()));
    map.inner().into_iter().map(|entry| field(entry).ok_or_else(odd)).collect()
}

fn whole(text: &str) -> Result<u64, Error> {
    text.parse().map_err(|_| Error::new(ErrorKind::Parse, "an epoch that is no whole number"))
}
