//! Bodies of every size, and ones that never come.

use crate::support::{bodies, builder, call, verify};
use bytes::Bytes;
use std::time::Duration;
use testkit::{Behaviour, Client, Fault, MockProvider};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Bytes that do not compress.
fn noise(length: usize) -> Bytes {
    let mut seed = length as u64 + 1;
    let words = (0..length.div_ceil(8)).flat_map(|_| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()
    });
    words.take(length).collect::<Vec<u8>>().into()
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_of_every_size_pass_and_are_recorded_byte_exact() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let config = "[gateway]\nbody_bytes_max = 134217728\n";
    let mut server = builder().upstream(&provider.url()).config(config).start().await;
    let key = server.key("finance-app").await;
    let client = Client::new();
    let url = format!("{}/v1/files", server.gateway_url());
    let piece = 64 * 1024;
    let part = record::PIECE_BYTES_MAX;
    let sizes = [0, 1, piece - 1, piece, piece + 1, part - 1, part, part + 1, 100 << 20];
    for (number, size) in sizes.into_iter().enumerate() {
        let sent = noise(size);
        // The answer is as long, and other.
        let told = sent.iter().rev().copied().collect::<Bytes>();
        let octets = "application/octet-stream".to_owned();
        provider.set(Behaviour::fault(Fault::Raw(200, octets, told.clone())));
        let id = format!("r-{number}");
        let headers = [
            ("x-api-key", key.as_str()),
            ("x-llm-source", "finance-app"),
            ("x-llm-user", "u-42"),
            ("x-llm-request-type", "ask"),
            ("x-request-id", id.as_str()),
            ("content-type", "application/octet-stream"),
        ];
        let answer = client.call("POST", &url, &headers, sent.clone()).await;
        assert_eq!(answer.status, 200, "{size}: {}", answer.text());
        assert!(answer.complete && answer.body == told, "{size}: the answer is not the provider's");
        assert!(
            provider.received()[number].body == sent,
            "{size}: the request is not the caller's"
        );
    }
    assert!(server.stop().await.success());
    let recorded = bodies(server.data());
    for (number, size) in sizes.into_iter().enumerate() {
        let sent = noise(size);
        let told = sent.iter().rev().copied().collect::<Vec<u8>>();
        let found = &recorded[&format!("r-{number}")];
        let of = |role: &str| found.get(role).map_or(&[][..], Vec::as_slice);
        assert!(of("client_request") == sent, "{size}");
        assert!(of("upstream_response") == told, "{size}");
    }
    let (code, text) = verify(&server, &[]).await;
    assert_eq!(code, 0, "{text}");
    for segment in std::fs::read_dir(server.data().join("ledger/00000001/tile/0")).unwrap() {
        assert!(segment.unwrap().metadata().unwrap().len() <= 8192, "leaves are bounded");
    }
}

/// Sends one byte after the other until the other side closes; what it answered.
async fn trickle(stream: &mut TcpStream) -> String {
    let (mut from, mut to) = stream.split();
    let mut answer = Vec::new();
    let reading = from.read_to_end(&mut answer);
    let writing = async {
        while to.write_all(b"x").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::future::pending::<()>().await;
    };
    let limit = tokio::time::sleep(Duration::from_secs(30));
    tokio::select! {
        _ = reading => {}
        () = writing => {}
        () = limit => panic!("one byte after the other keeps the connection for ever"),
    }
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_after_the_other_holds_nobody_up() {
    let provider = MockProvider::start(Behaviour::good()).await;
    let config = "[gateway]\nheader_read_ms = 500\nbody_read_ms = 500\n";
    let mut server = builder().upstream(&provider.url()).config(config).start().await;
    let key = server.key("finance-app").await;
    let url = server.gateway_url().to_owned();
    let address = url.trim_start_matches("http://").to_owned();
    let slow = (0..20).map(|number| {
        let (address, key) = (address.clone(), key.clone());
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\n";
            stream.write_all(head.as_bytes()).await.unwrap();
            if number % 2 == 0 {
                stream.write_all(b"x-slow: ").await.unwrap();
                return (number, trickle(&mut stream).await);
            }
            let rest = format!(
                "x-api-key: {key}\r\nx-llm-source: finance-app\r\nx-llm-user: u-42\r\n\
                 x-llm-request-type: ask\r\nx-request-id: slow-{number}\r\n\
                 content-type: application/json\r\ncontent-length: 100000\r\n\r\n{{"
            );
            stream.write_all(rest.as_bytes()).await.unwrap();
            (number, trickle(&mut stream).await)
        })
    });
    let slow: Vec<_> = slow.collect();
    let client = Client::new();
    for number in 0..20 {
        let answer = call(&client, &url, &key, &format!("r-{number}"), false).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    for slow in slow {
        let (number, answer) = slow.await.unwrap();
        if number % 2 == 1 {
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(answer.contains("invalid_body"), "{answer}");
        }
    }
    assert_eq!(provider.count(), 20, "no half request reached the provider");
    assert!(server.stop().await.success());
    let told = crate::support::decisions(server.data());
    for number in (1..20).step_by(2) {
        let decision = &told[&format!("slow-{number}")].decision;
        assert_eq!(decision.error_code.as_deref(), Some("invalid_body"));
    }
}
