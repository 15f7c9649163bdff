//! One connection to a Redis, from its login to its end. Everything waited for is bounded; whatever fails ends the session, and the error is
//! one line for a person. Nothing is tried twice in here: a new session begins from nothing, so what it says is how things are.

use std::time::Duration;

use fred::{
    clients::Client,
    error::Error,
    interfaces::{ClientLike, EventInterface, HashesInterface, KeysInterface, LuaInterface, PubsubInterface},
    types::{ConnectHandle, Message, Value},
};
use tokio::{sync::broadcast, time::timeout};

use super::{
    ANSWER_MAX, RedisList,
    reading::{ENTRIES_MAX, Reading},
    trouble,
};

/// For the whole list: a large one over a slow line takes its time.
const LIST_MAX: Duration = Duration::from_secs(30);

/// Logging in is several answers: addresses, TLS, sentinels, the login itself.
const LOGIN_MAX: Duration = Duration::from_secs(15);

/// Commands under way at most; there is one at a time.
const COMMANDS_MAX: usize = 16;

pub(super) struct Session<'a> {
    list: &'a RedisList,
    client: Client,
    connection: ConnectHandle,
}

impl<'a> Session<'a> {
    pub(super) async fn open(list: &'a RedisList) -> Result<Self, String> {
        let client = list.address.client(COMMANDS_MAX);
        let connection = client.connect();
        let session = Self { list, client, connection };
        session.answered(LOGIN_MAX, session.client.wait_for_connect()).await?;
        Ok(session)
    }

    /// From now on changes are told; a notice is lost with the connection at most.
    pub(super) async fn subscribe(&self) -> Result<broadcast::Receiver<Message>, String> {
        let notices = self.client.message_rx();
        // The client awaits no answer to a subscription and would drop a refusal: a ping sent in one go with it gets that one instead.
        let both = self.client.pipeline();
        self.answered(ANSWER_MAX, async {
            both.subscribe(self.list.channel()).await?;
            both.ping::<Value>(None).await?;
            both.last::<Value>().await
        })
        .await?;
        Ok(notices)
    }

    pub(super) async fn read(&self) -> Result<Reading, String> {
        let key = self.list.entries_key();
        let version = self.answered(ANSWER_MAX, self.client.get(self.list.version_key())).await?;
        let confirmed = self.answered(ANSWER_MAX, self.client.get(self.list.confirmation_key())).await?;
        let length: u64 = self.answered(ANSWER_MAX, self.client.hlen(&key)).await?;
        if length > ENTRIES_MAX {
            return Err(format!("the list holds {length} entries, more than {ENTRIES_MAX}"));
        }
        let entries: Value = self.answered(LIST_MAX, self.client.hgetall(&key)).await?;
        let entries = entries.into_map().map_err(|error| trouble::line(&error, &self.list.address))?;
        Reading::new(&entries, version, confirmed)
    }

    /// Whether it still answers.
    pub(super) async fn ping(&self) -> Result<(), String> {
        self.answered(ANSWER_MAX, self.client.ping::<Value>(None)).await.map(drop)
    }

    /// Runs a script in one atomic step; its answer is a number.
    pub(super) async fn run(
        &self,
        script: &'static str,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<i64, String> {
        self.answered(ANSWER_MAX, self.client.eval(script, keys, arguments)).await
    }

    /// Waits for the connection to end; why it did.
    pub(super) async fn ended(&mut self) -> String {
        match (&mut self.connection).await {
            Ok(Err(error)) => trouble::line(&error, &self.list.address),
            Ok(Ok(())) | Err(_) => "the connection is closed".to_owned(),
        }
    }

    async fn answered<T>(
        &self,
        within: Duration,
        answer: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, String> {
        match timeout(within, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(trouble::line(&error, &self.list.address)),
            Err(_) => Err(format!("no answer within {} s", within.as_secs())),
        }
    }
}

impl Drop for Session<'_> {
    /// The client is used no more: its connection, however stuck, goes with it.
    fn drop(&mut self) {
        self.connection.abort();
    }
}
