use std::fs;
use std::path::Path;

use handoff::worker::StopFrame;

use super::*;

/// Shows it as the kubelet does: whole, under the same name.
fn show(path: &Path, value: &str) {
    let new = path.with_extension("new");
    fs::write(&new, value).unwrap();
    fs::rename(new, path).unwrap();
}

#[test]
fn each_value_of_the_stop_file_is_news_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stop");
    let mut file = StopFile { path: path.clone(), seen: String::new() };
    assert!(file.look().is_none(), "no file");
    for (value, seconds) in [("2;285", 285), ("2;60\n", 60)] {
        show(&path, value);
        let expected = StopRequest { frame: StopFrame::Cancel, seconds };
        assert!(matches!(file.look(), Some(Event::Request(it)) if it == expected));
        assert!(file.look().is_none(), "{value} again");
    }
    show(&path, "");
    assert!(file.look().is_none(), "an annotation that is not there");
}

#[test]
fn an_invalid_request_is_logged_once_and_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stop");
    let mut file = StopFile { path: path.clone(), seen: String::new() };
    show(&path, "please");
    assert!(matches!(file.look(), Some(Event::Nonsense(text, _)) if text == "please"));
    assert!(file.look().is_none());
    show(&path, "3;25");
    assert!(matches!(file.look(), Some(Event::Request(_))));
}

#[test]
fn a_file_without_an_end_is_read_to_its_limit() {
    let mut file = StopFile { path: "/dev/zero".into(), seen: String::new() };
    assert!(matches!(file.look(), Some(Event::Nonsense(text, _)) if text.len() == MAX_REQUEST as usize));
}

#[test]
fn a_request_that_is_there_when_a_signal_comes_goes_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("stop");
    let (sender, receiver) = sync_channel(EVENT_QUEUE);
    let file = StopFile { path: path.clone(), seen: String::new() };
    let look_at = Duration::MAX; // no look but the signal's
    let mut watch = Watch { receiver, sender, began: Instant::now(), look_at, file, held: None };
    show(&path, "2;285");
    watch.sender().send(Event::Signal(SIGTERM)).unwrap();
    assert!(matches!(watch.next(None), Event::Request(_)));
    assert!(matches!(watch.next(None), Event::Signal(SIGTERM)));
    watch.sender().send(Event::Signal(SIGTERM)).unwrap();
    assert!(matches!(watch.next(None), Event::Signal(SIGTERM)));
    assert!(matches!(watch.next(Some(Duration::ZERO)), Event::Time));
}
