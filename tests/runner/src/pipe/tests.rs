use super::*;

fn frame(kind: i32, length: i32, body: &[u8]) -> Vec<u8> {
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body].concat()
}

fn read(bytes: &[u8]) -> Result<Frame, Error> {
    read_frame(&mut &bytes[..])
}

/// Protocol, Appendix B.
#[test]
fn the_vectors_are_read() {
    let job = [
        0x01, 0x00, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00, //
        0x7b, 0x00, 0x22, 0x00, 0x61, 0x00, 0x22, 0x00, 0x3a, 0x00, 0x22, 0x00, 0xe9, 0x00, 0x3d, 0xd8, 0x00,
        0xde, 0x22, 0x00, 0x7d, 0x00,
    ];
    assert_eq!(read(&job).unwrap(), Frame { kind: 1, body: "{\"a\":\"é😀\"}".into() });
    assert_eq!(read(&[2, 0, 0, 0, 0, 0, 0, 0]).unwrap(), Frame { kind: 2, body: String::new() });
}

#[test]
fn lengths_that_no_listener_writes_are_refused() {
    for length in [-1, 3, MAX_BODY + 1, MAX_BODY + 2, i32::MIN, i32::MAX] {
        assert!(matches!(read(&frame(1, length, b"")), Err(Error::Length(it)) if it == length), "{length}");
    }
}

#[test]
fn a_frame_that_breaks_off_is_refused() {
    assert!(matches!(read(b""), Err(Error::Cut(_))));
    assert!(matches!(read(&[1, 0, 0]), Err(Error::Cut(_))));
    assert!(matches!(read(&frame(1, 4, &[0x7b, 0])), Err(Error::Cut(_))));
}

#[test]
fn a_body_with_half_a_character_is_refused() {
    assert!(matches!(read(&frame(1, 2, &[0x3d, 0xd8])), Err(Error::Text)));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_come_within_half_a_minute_is_not_waited_for() {
    let (_open, receiver) = mpsc::channel(1);
    let start = tokio::time::Instant::now();
    assert!(matches!(Frames(receiver).job().await, Err(Error::Late)));
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_has_ended_is_as_one_that_says_nothing() {
    let (sender, receiver) = mpsc::channel(1);
    sender.send(Err(Error::Cut(io::ErrorKind::UnexpectedEof.into()))).await.unwrap();
    drop(sender);
    let start = tokio::time::Instant::now();
    assert!(matches!(Frames(receiver).job().await, Err(Error::Late)));
    assert_eq!(start.elapsed(), Duration::from_secs(30));
}
