//! The store in a real Redis: one writer at a time, the higher epoch wins, and whatever the server forgets is noticed.
#![cfg(feature = "redis")]

use std::time::Duration;

use dedup::store::fred::{
    clients::Client,
    interfaces::{ClientLike, LuaInterface},
    types::config::Config,
};
use dedup::store::{Acquired, Image, Renewed, Store, Written};
use test_services::{or_skip, shared_redis};

const LONG: Duration = Duration::from_secs(60);

/// A client of the shared Redis, and a prefix of this test's own.
async fn store(url: &str, prefix: &str) -> (Store, Client) {
    let client = Client::new(Config::from_url(url).expect("a URL"), None, None, None);
    let _connection = client.connect();
    client.wait_for_connect().await.expect("it answers");
    for end in ["lease", "epoch", "states", "state:alice", "state:alice:ETH-PERP"] {
        delete(&client, &format!("{prefix}:{end}")).await;
    }
    (Store::new(client.clone(), prefix), client)
}

async fn delete(client: &Client, key: &str) {
    let _count: i64 = client.eval("return redis.call('DEL', KEYS[1])", key, "").await.expect("deleted");
}

fn image(text: &str) -> Image {
    let fields = [("state", text.as_bytes()), ("epoch", &[0, 255, b'\n'])];
    Image {
        id: "alice".to_owned(),
        fields: fields.map(|(name, value)| (name.to_owned(), value.to_vec())).into(),
        markets: vec![("ETH-PERP".to_owned(), text.as_bytes().to_vec())],
    }
}

#[tokio::test]
async fn the_lease_has_one_holder_and_an_epoch_that_rises() {
    let Some(url) = or_skip("store_lease", shared_redis()) else { return };
    let (store, client) = store(&url, "test-store-lease").await;
    assert_eq!(store.acquire("a", 1_000, 0, LONG).await.unwrap(), Acquired::Ours { epoch: 1_000 });
    let Acquired::Held { holder, left, epoch: 1_000 } = store.acquire("b", 9_000, 0, LONG).await.unwrap()
    else {
        panic!("two holders");
    };
    assert!(holder == "a" && left.is_some_and(|left| left <= LONG), "{left:?}");
    assert_eq!(store.renew("a", 1_000, LONG).await.unwrap(), Renewed::Kept);
    store.release("b").await.unwrap();
    assert!(
        matches!(store.acquire("b", 1, 0, LONG).await.unwrap(), Acquired::Held { .. }),
        "not b's to give back"
    );
    store.release("a").await.unwrap();
    assert_eq!(
        store.acquire("b", 1, 0, LONG).await.unwrap(),
        Acquired::Ours { epoch: 1_001 },
        "it only rises"
    );
    let lost = Renewed::Lost { holder: "b".to_owned(), epoch: 1_001 };
    assert_eq!(store.renew("a", 1_000, LONG).await.unwrap(), lost);
    // The server forgets: who is still there takes it back, once.
    delete(&client, "test-store-lease:lease").await;
    delete(&client, "test-store-lease:epoch").await;
    assert_eq!(store.acquire("c", 1, 1_001, LONG).await.unwrap(), Acquired::Forgotten, "not before b");
    assert_eq!(store.renew("b", 1_001, LONG).await.unwrap(), Renewed::Raised);
    assert_eq!(store.renew("b", 1_001, LONG).await.unwrap(), Renewed::Kept);
    assert_eq!(store.renew("b", 2_000, LONG).await.unwrap(), Renewed::Raised, "it may begin with more");
    // A lease ends by itself.
    assert_eq!(store.renew("b", 2_000, Duration::from_millis(1)).await.unwrap(), Renewed::Kept);
    let taken = async {
        loop {
            if let Acquired::Ours { epoch } = store.acquire("c", 1, 0, LONG).await.unwrap() {
                return epoch;
            }
        }
    };
    assert_eq!(taken.await, 2_001);
}

#[tokio::test]
async fn a_stale_writer_changes_nothing() {
    let Some(url) = or_skip("store_writes", shared_redis()) else { return };
    let (store, client) = store(&url, "test-store-writes").await;
    assert_eq!(store.read(&["alice".to_owned(), "bob".to_owned()]).await.unwrap(), [None, None]);
    assert_eq!(store.write(5, &[image("first")]).await.unwrap(), [Written::Raised], "it knew no epoch");
    assert_eq!(store.write(5, &[image("second"), image("third")]).await.unwrap(), [Written::Taken; 2]);
    let _epoch = store.acquire("other", 1, 0, LONG).await.unwrap();
    assert_eq!(store.write(5, &[image("stale")]).await.unwrap(), [Written::Stale]);
    let read = store.read(&["alice".to_owned()]).await.unwrap();
    let fields = read[0].as_ref().expect("a state");
    let found = (fields["state"].as_slice(), fields["epoch"].as_slice());
    assert_eq!(found, (&b"third"[..], &[0, 255, b'\n'][..]));
    let market: String = client
        .eval("return redis.call('GET', KEYS[1])", "test-store-writes:state:alice:ETH-PERP", "")
        .await
        .unwrap();
    assert_eq!(market, "third");
    assert_eq!(store.ids().await.unwrap(), ["alice"]);
    // Of many at once the answers come in their order, the right one to each.
    let image_of = |n: i32| Image { id: format!("many-{n}"), ..image(&n.to_string()) };
    let many: Vec<Image> = (0..200).map(image_of).collect();
    assert_eq!(store.write(6, &many).await.unwrap().len(), 200);
    let ids: Vec<String> = many.iter().map(|image| image.id.clone()).collect();
    let read = store.read(&ids).await.unwrap();
    for (n, fields) in read.iter().enumerate() {
        assert_eq!(fields.as_ref().expect("a state")["state"], n.to_string().into_bytes());
    }
}
