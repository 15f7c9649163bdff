//! The info client over real sockets: one question each, bounded, named errors, no token in sight.
#![cfg(feature = "io")]

mod io_support;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use hyperliquid_client::auth::Auth;
use hyperliquid_client::info::InfoRequest;
use hyperliquid_client::io::{
    AskAgain, DialError, Dns, EndpointConfig, HistoryError, HistoryOf, HistoryReader, HistoryRows,
    InfoAnswer, InfoClient, InfoError,
};
use hyperliquid_client::limits::InfoCost;
use hyperliquid_client::pager::PagerEnd;
use hyperliquid_client::weight::{Lane, WeightBudget};
use hyperliquid_client::wire::Address;
use io_support::*;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

const LONG: Duration = Duration::from_secs(60);

fn http(address: SocketAddr) -> EndpointConfig {
    EndpointConfig { max_answer_bytes: 1000, ..config(format!("ws://{address}/ws")) }
}

fn client(config: EndpointConfig) -> InfoClient {
    let endpoint = endpoint(config);
    let dialer = endpoint.dialer(Dns::system()).expect("roots");
    InfoClient::new(endpoint, dialer, clock())
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// What one answer comes to; the server closes behind it.
async fn outcome(auth: Auth, script: &str) -> Result<InfoAnswer, InfoError> {
    let (listener, address) = listen().await;
    let mut client = client(EndpointConfig { auth, ..http(address) });
    let server = async {
        drop(answer(&listener, |_| script).await);
    };
    tokio::join!(client.ask(&InfoRequest::PerpDexs), server).0
}

#[tokio::test]
async fn questions_go_one_after_the_other_over_one_connection() {
    let (listener, address) = listen().await;
    let mut client = client(http(address));
    let server = async {
        let (first, mut stream) = answer(&listener, |_| ok("[null]")).await;
        let second = answer_on(&mut stream, |_| ok("{}")).await;
        [first, second]
    };
    let asking = async {
        let dexs = client.ask(&InfoRequest::PerpDexs).await.expect("an answer");
        let meta = client.ask(&InfoRequest::Meta { dex: "xyz".into() }).await.expect("an answer");
        [dexs.body, meta.body]
    };
    let (bodies, [first, second]) = tokio::join!(asking, server);
    assert_eq!(bodies, [b"[null]".to_vec(), b"{}".to_vec()]);
    assert!(first.starts_with("POST /info HTTP/1.1\r\n"), "{first}");
    assert_eq!(header(&first, "content-type"), Some("application/json"));
    assert!(first.ends_with(r#"{"type":"perpDexs"}"#), "{first}");
    assert!(second.ends_with(r#"{"type":"meta","dex":"xyz"}"#), "{second}");
}

#[tokio::test]
async fn a_connection_closed_meanwhile_is_replaced_and_the_question_asked_once() {
    let (listener, address) = listen().await;
    let mut client = client(http(address));
    for _ in 0..3 {
        let server = async {
            // Dropped after its answer: the client finds its kept connection closed.
            drop(answer(&listener, |_| ok("[]")).await);
        };
        let (answer, ()) = tokio::join!(client.ask(&InfoRequest::PerpDexs), server);
        assert_eq!(answer.expect("an answer").body, b"[]");
    }
    assert!(none_waits(&listener).await, "no connection beyond the three");
}

/// Whether nobody else has connected.
async fn none_waits(listener: &TcpListener) -> bool {
    std::future::poll_fn(|cx| std::task::Poll::Ready(listener.poll_accept(cx).is_pending())).await
}

#[tokio::test]
async fn each_refusal_is_named_and_says_when_to_ask_again() {
    let later = AskAgain::Later;
    for (answer, shown, again) in [
        (
            "429 Too Many\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n",
            "127.0.0.1 answers perpDexs with status 429",
            AskAgain::After(Duration::from_secs(9)),
        ),
        ("429 Too Many\r\nContent-Length: 0\r\n\r\n", "127.0.0.1 answers perpDexs with status 429", later),
        (
            "422 Unprocessable\r\nContent-Length: 0\r\n\r\n",
            "127.0.0.1 answers perpDexs with status 422",
            AskAgain::Never,
        ),
        ("500 Oops\r\nContent-Length: 0\r\n\r\n", "127.0.0.1 answers perpDexs with status 500", later),
        (
            "401 No\r\nContent-Length: 0\r\n\r\n",
            "127.0.0.1 does not accept our credentials for perpDexs: status 401",
            AskAgain::Rarely,
        ),
        (
            "200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nno",
            "127.0.0.1 answers perpDexs with status 200, a page for people",
            later,
        ),
        (
            "200 OK\r\nContent-Length: 1001\r\n\r\n",
            "answer of 127.0.0.1 to perpDexs is larger than 1000 bytes",
            AskAgain::Never,
        ),
        (
            "200 OK\r\nContent-Length: 100\r\n\r\n[half",
            "127.0.0.1 gave no complete answer to perpDexs",
            later,
        ),
        ("nonsense\r\n\r\n", "127.0.0.1 gave no complete answer to perpDexs", later),
    ] {
        let answer =
            if answer.starts_with("nonsense") { answer.to_owned() } else { format!("HTTP/1.1 {answer}") };
        let error = outcome(Auth::None, &answer).await.expect_err(shown);
        assert_eq!((error.to_string().as_str(), error.ask_again()), (shown, again), "{answer}");
    }
}

#[tokio::test]
async fn chunks_are_put_together_and_add_up_to_the_bound() {
    let chunked =
        |chunks: &str| format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n");
    let answer = outcome(Auth::None, &chunked("1\r\n[\r\n1\r\n]\r\n")).await.expect("an answer");
    assert_eq!(answer.body, b"[]");
    let chunk = format!("190\r\n{}\r\n", "x".repeat(400));
    let error = outcome(Auth::None, &chunked(&chunk.repeat(3))).await.expect_err("1200 bytes");
    assert!(matches!(error, InfoError::TooLarge { max_bytes: 1000, .. }), "{error:?}");
}

#[tokio::test]
async fn large_answers_come_in_turn_and_one_that_never_ends_holds_up_none_for_long() {
    let turns = Arc::new(Semaphore::new(1));
    let large = "x".repeat(100_000);
    let (listener, address) = listen().await;
    let sharing = |info_timeout: Duration| {
        let config = EndpointConfig { info_timeout, max_answer_bytes: 200_000, ..http(address) };
        client(config).with_turns(Arc::clone(&turns))
    };
    let (mut stuck, mut small, mut next) =
        (sharing(Duration::from_millis(300)), sharing(LONG), sharing(LONG));
    let served = async {
        // Only the head of it.
        let (_, _held) = answer(&listener, |_| ok(&large)[..200].to_owned()).await;
        let (_, _small) = answer(&listener, |_| ok("[]")).await;
        let (_, _next) = answer(&listener, |_| ok(&large)).await;
        std::future::pending::<()>().await;
    };
    let asking = async {
        let asked = async {
            while turns.available_permits() == 1 {
                tokio::task::yield_now().await;
            }
            let small = small.ask(&InfoRequest::PerpDexs).await.expect("waits for nobody");
            assert_eq!((small.body.as_slice(), turns.available_permits()), (&b"[]"[..], 0));
            next.ask(&InfoRequest::PerpDexs).await
        };
        tokio::join!(stuck.ask(&InfoRequest::SpotMeta), asked)
    };
    let (stuck, next) = tokio::select! {
        answers = asking => answers,
        () = served => unreachable!("it goes on for ever"),
    };
    assert!(matches!(stuck, Err(InfoError::Timeout { kind: "spotMeta", .. })), "{stuck:?}");
    assert_eq!(next.expect("after the other's deadline").body.len(), large.len());
    assert_eq!(turns.available_permits(), 1);
}

#[tokio::test]
async fn silence_and_absence_are_told_apart() {
    let (listener, address) = listen().await;
    let mut impatient = client(EndpointConfig { info_timeout: Duration::from_millis(50), ..http(address) });
    let (answer, _silent) = tokio::join!(impatient.ask(&InfoRequest::SpotMeta), accept(&listener));
    assert!(matches!(answer, Err(InfoError::Timeout { kind: "spotMeta", .. })), "{answer:?}");
    drop(listener);
    let answer = client(http(address)).ask(&InfoRequest::SpotMeta).await;
    assert!(matches!(answer, Err(InfoError::Dial(DialError::Connect { .. }))), "{answer:?}");
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    for auth in [header_token(), query_token()] {
        for status in ["401", "429", "500"] {
            let script =
                format!("HTTP/1.1 {status} {TOKEN}\r\nX-Echo: {TOKEN}\r\nContent-Length: 20\r\n\r\n{TOKEN}");
            let error = outcome(auth.clone(), &script).await.expect_err("refused");
            assert_no_token(&everything_shown(&error));
        }
        let (listener, address) = listen().await;
        let mut client = client(EndpointConfig { auth, ..http(address) });
        let (answer, (head, _)) =
            tokio::join!(client.ask(&InfoRequest::PerpDexs), answer(&listener, |_| ok("[]")));
        assert_no_token(&format!("{client:?} {answer:?}"));
        let sent = header(&head, "x-api-key") == Some(TOKEN)
            || head.starts_with("POST /info?token=hunter2%2Fsecret%20token HTTP/1.1");
        assert!(sent, "{head}");
    }
}

fn fill(time: u64, tid: u64) -> String {
    format!(
        r#"{{"coin":"ETH","px":"2400","sz":"1","side":"B","time":{time},"startPosition":"0","dir":"Open Long","closedPnl":"0","hash":"0x0","oid":1,"crossed":true,"fee":"0","tid":{tid},"feeToken":"USDC"}}"#
    )
}

#[tokio::test]
async fn history_is_walked_to_its_end_through_overlaps_and_refused_rows() {
    let (listener, address) = listen().await;
    let client = client(EndpointConfig { max_answer_bytes: 1 << 20, ..http(address) });
    let weight = Rc::new(RefCell::new(WeightBudget::new(1200, 0).expect("enough")));
    let mut reader = HistoryReader::new(client, Rc::clone(&weight));
    let refused = r#"{"coin":"ETH","px":"NaN"}"#.to_owned();
    let pages = [
        (1000, vec![fill(1000, 1), fill(1005, 2), refused.clone()]),
        (1005, vec![fill(1005, 2), refused, fill(1005, 3), fill(1009, 4)]),
        (1009, vec![fill(1009, 4)]),
    ];
    let server = async {
        let mut stream = accept(&listener).await;
        for (start, rows) in pages {
            let question = answer_on(&mut stream, |_| ok(&format!("[{}]", rows.join(",")))).await;
            assert!(question.contains(&format!(r#""startTime":{start}"#)), "{question}");
        }
        stream
    };
    let user = Address::from_bytes([0xaa; 20]);
    let mut fresh = Vec::new();
    let walk = reader.walk(HistoryOf::Fills, user, 1000, 10, Lane::Priority, |page| {
        let HistoryRows::Fills(rows) = &page.rows else { panic!("fills were asked for") };
        for at in &page.report.fresh {
            fresh.push(rows.rows[*at].as_ref().map_or(0, |fill| fill.tid));
        }
    });
    let (end, _stream) = tokio::join!(walk, server);
    assert_eq!(end.expect("walked"), PagerEnd::Complete);
    assert_eq!(fresh, [1, 2, 0, 3, 4], "each row once, the refused one too");
    let now = tokio::time::Instant::now().into_std();
    assert_eq!(weight.borrow_mut().spent(now), 3 * 21, "three pages of a few rows");
}

#[tokio::test]
async fn a_walk_that_is_refused_says_where_to_go_on_and_keeps_the_budget_quiet() {
    let (listener, address) = listen().await;
    let weight = Rc::new(RefCell::new(WeightBudget::new(1200, 0).expect("enough")));
    let mut reader = HistoryReader::new(client(http(address)), Rc::clone(&weight));
    let user = Address::from_bytes([0xaa; 20]);
    let server = async {
        drop(answer(&listener, |_| "HTTP/1.1 429 No\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n").await);
    };
    let walk =
        reader.walk(HistoryOf::TwapFills, user, 77, 10, Lane::Priority, |_| panic!("there is no page"));
    let (end, ()) = tokio::join!(walk, server);
    assert!(matches!(end, Err(HistoryError::Info { next_start: 77, .. })), "{end:?}");
    let now = tokio::time::Instant::now().into_std();
    let free_at = weight
        .borrow_mut()
        .try_charge(InfoCost::LIGHT, Lane::Priority, now)
        .expect_err("not before nine seconds");
    assert!(free_at > now + Duration::from_secs(8));
}
