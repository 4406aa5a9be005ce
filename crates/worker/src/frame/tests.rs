use proptest::prelude::*;

use super::*;

/// Protocol, Appendix B.
#[test]
fn a_job_message_is_framed_byte_for_byte_as_the_vector() {
    let expected = [
        0x01, 0x00, 0x00, 0x00, 0x16, 0x00, 0x00, 0x00, //
        0x7b, 0x00, 0x22, 0x00, 0x61, 0x00, 0x22, 0x00, 0x3a, 0x00, 0x22, 0x00, 0xe9, 0x00, 0x3d, 0xd8, 0x00,
        0xde, 0x22, 0x00, 0x7d, 0x00,
    ];
    assert_eq!(encode(Kind::NewJobRequest, "{\"a\":\"é😀\"}").unwrap(), expected);
}

/// Protocol, Appendix B.
#[test]
fn a_frame_that_stops_is_eight_bytes() {
    assert_eq!(stop(StopFrame::Cancel), [2, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(stop(StopFrame::Shutdown), [3, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(encode(Kind::CancelRequest, "").unwrap(), stop(StopFrame::Cancel));
    assert_eq!(encode(Kind::RunnerShutdown, "").unwrap(), stop(StopFrame::Shutdown));
}

#[test]
fn the_longest_body_passes_and_two_bytes_more_do_not() {
    let longest = "x".repeat(MAX_BODY / 2);
    assert_eq!(encode(Kind::NewJobRequest, &longest).unwrap().len(), 8 + MAX_BODY);
    let bytes = MAX_BODY + 2;
    assert_eq!(encode(Kind::NewJobRequest, &(longest + "x")), Err(TooLong { bytes }));
}

proptest! {
    #[test]
    fn what_is_framed_reads_back(body in "\\PC{0,200}") {
        let frame = encode(Kind::NewJobRequest, &body).unwrap();
        let length = i32::from_le_bytes(frame[4..8].try_into().unwrap());
        let units: Vec<u16> = frame[8..].chunks(2).map(|it| u16::from_le_bytes([it[0], it[1]])).collect();
        prop_assert_eq!(&frame[..4], [1, 0, 0, 0]);
        prop_assert_eq!(length as usize, frame.len() - 8);
        prop_assert_eq!(String::from_utf16(&units).unwrap(), body);
    }
}
