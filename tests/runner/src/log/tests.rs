use super::*;

fn read(block: &Block) -> String {
    fs::read_to_string(&block.file).unwrap()
}

#[test]
fn a_short_log_is_one_block_with_a_time_before_each_line() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new(LogOf::Step("5e90".into()), folder.path());
    for text in ["one", "two\nthree", ""] {
        assert_eq!(log.write(text).unwrap(), None);
    }
    let block = log.end().unwrap().unwrap();
    assert_eq!((block.first, block.last, block.lines), (true, true, 4));
    let text = read(&block);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with('\u{feff}') && lines[0].ends_with("Z one"), "{text}");
    assert_eq!(lines[0].len(), "\u{feff}2026-11-28T05:14:23.1601391Z one".len());
    assert!(lines[1].ends_with(" two") && lines[2] == "three" && lines[3].ends_with("Z "), "{text}");
}

#[test]
fn a_log_that_nobody_wrote_to_has_no_block() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(Log::new(LogOf::Job, folder.path()).end().unwrap(), None);
}

#[test]
fn a_long_log_is_cut_where_two_mebibytes_are_full() {
    let folder = tempfile::tempdir().unwrap();
    let mut log = Log::new(LogOf::Job, folder.path());
    let line = "x".repeat(100);
    let blocks: Vec<Block> = (0..20_000).filter_map(|_| log.write(&line).unwrap()).collect();
    let [block] = blocks.as_slice() else { panic!("{blocks:?}") };
    assert_eq!((block.first, block.last), (true, false));
    // A line has 129 bytes and its end, which does not count; the mark at the file's beginning does not either.
    let lines = (2_usize << 20).div_ceil(129);
    assert_eq!((read(block).len(), block.lines), (3 + lines * 130, lines as u64));
    let last = log.end().unwrap().unwrap();
    assert_eq!((last.first, last.last, last.lines), (false, true, 20_000));
    assert!(read(&last).starts_with('\u{feff}'));
}
