use super::*;

#[test]
fn a_line_is_one_json_object_in_the_shared_schema() {
    let context = Map::from_iter([("run_id".to_owned(), Value::from("77"))]);
    let log = Log::new(Level::Info).with_context(context);
    let time = "2026-09-01T10:17:00.5Z".parse().unwrap();
    assert_eq!(
        log.line(time, Level::Warn, "a \"quoted\"\nline", &[("pid", Value::from(7))]),
        concat!(
            r#"{"time":"2026-09-01T10:17:00.500000Z","level":"warn","msg":"a \"quoted\"\nline","#,
            r#""target":"worker","component":"worker","run_id":"77","pid":7}"#,
            "\n"
        )
    );
}

#[test]
fn levels_are_read_in_any_case_and_nothing_else_is() {
    assert_eq!("DEBUG".parse(), Ok(Level::Debug));
    assert_eq!("info".parse(), Ok(Level::Info));
    assert_eq!("verbose".parse::<Level>(), Err(UnknownLevel));
}
