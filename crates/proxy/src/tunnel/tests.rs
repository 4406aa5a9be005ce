use tokio::io::{DuplexStream, duplex};

use super::*;

struct Setup {
    client: DuplexStream,
    destination: DuplexStream,
    cut: CancellationToken,
    tunnel: tokio::task::JoinHandle<Ended>,
    meters: Meters,
}

fn start() -> Setup {
    let (client, near) = duplex(64);
    let (destination, far) = duplex(64);
    let counter = |name| IntCounter::new(name, "Bytes.").unwrap();
    let meters = Meters { up: counter("up"), down: counter("down") };
    let cut = CancellationToken::new();
    let bounds =
        Bounds { idle: Duration::from_secs(300), life: Duration::from_secs(21_600), cut: cut.clone() };
    let local = meters.clone();
    let tunnel = tokio::spawn(async move { run(near, far, bounds, local).await });
    Setup { client, destination, cut, tunnel, meters }
}

#[tokio::test]
async fn bytes_pass_both_ways_and_a_half_close_leaves_the_other_half() {
    let Setup { mut client, mut destination, tunnel, meters, .. } = start();
    client.write_all(b"question").await.unwrap();
    client.shutdown().await.unwrap();
    let mut question = String::new();
    destination.read_to_string(&mut question).await.unwrap();
    assert_eq!(question, "question");

    destination.write_all(b"a long answer").await.unwrap();
    destination.shutdown().await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!(answer, "a long answer");

    assert_eq!(tunnel.await.unwrap(), Ended { why: Why::Closed, up: 8, down: 13 });
    assert_eq!((meters.up.get(), meters.down.get()), (8, 13));
}

#[tokio::test]
async fn a_large_transfer_arrives_as_it_was_sent() {
    let (mut client, near) = duplex(256 * 1024);
    let (destination, far) = duplex(256 * 1024);
    let sent: Vec<u8> = (0..1_000_000u32).flat_map(u32::to_le_bytes).collect();
    let counter = |name| IntCounter::new(name, "Bytes.").unwrap();
    let bounds = Bounds {
        idle: Duration::from_secs(300),
        life: Duration::from_secs(300),
        cut: CancellationToken::new(),
    };
    let tunnel = tokio::spawn(run(near, far, bounds, Meters { up: counter("up"), down: counter("down") }));
    let (mut from, mut to) = tokio::io::split(destination);
    let echo = tokio::spawn(async move {
        tokio::io::copy(&mut from, &mut to).await.unwrap();
        to.shutdown().await.unwrap();
    });
    let (mut reader, mut writer) = tokio::io::split(&mut client);
    let mut received = Vec::new();
    let send = async {
        writer.write_all(&sent).await.unwrap();
        writer.shutdown().await.unwrap();
    };
    tokio::join!(send, async { reader.read_to_end(&mut received).await.unwrap() });
    assert!(received == sent);
    assert_eq!(tunnel.await.unwrap().down, 4_000_000);
    echo.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_tunnel_in_which_nothing_moves_ends_after_its_idle_time() {
    let Setup { mut client, mut destination, tunnel, .. } = start();
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(200)).await;
    client.write_all(b"x").await.unwrap();
    destination.read_u8().await.unwrap();
    assert_eq!(tunnel.await.unwrap().why, Why::Idle);
    assert_eq!(started.elapsed().as_secs(), 500);
}

#[tokio::test(start_paused = true)]
async fn a_busy_tunnel_ends_after_its_life() {
    let Setup { mut client, mut destination, tunnel, .. } = start();
    let started = Instant::now();
    let chatter = tokio::spawn(async move {
        while client.write_all(b"x").await.is_ok() && destination.read_u8().await.is_ok() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
    });
    assert_eq!(tunnel.await.unwrap().why, Why::Life);
    assert_eq!(started.elapsed().as_secs(), 21_600);
    chatter.await.unwrap();
}

#[tokio::test]
async fn a_tunnel_ends_when_it_is_cut() {
    let Setup { cut, tunnel, client, destination, .. } = start();
    cut.cancel();
    assert_eq!(tunnel.await.unwrap().why, Why::Drained);
    drop((client, destination));
}

#[tokio::test]
async fn a_side_that_no_longer_takes_bytes_breaks_the_tunnel() {
    let Setup { mut client, destination, tunnel, .. } = start();
    drop(destination);
    let _ = client.write_all(&[0; 256]).await;
    assert_eq!(tunnel.await.unwrap().why, Why::Broken);
}
