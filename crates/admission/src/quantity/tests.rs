use proptest::prelude::*;

use super::*;

#[test]
fn quantities_are_exact() {
    let cases = [
        ("1", 1000),
        ("1500m", 1500),
        ("0.5", 500),
        (".5", 500),
        ("2Ki", 2_048_000),
        ("1e3", 1_000_000),
        ("1E", 10i128.pow(21)),
        ("100n", 1),
        ("12E-1", 1200),
        ("-1", -1000),
        ("1.5Gi", 1_610_612_736_000),
        ("+3", 3000),
        ("0", 0),
    ];
    for (text, expected) in cases {
        assert_eq!(millis(text), Some(expected), "{text}");
    }
}

#[test]
fn what_is_no_quantity_is_refused() {
    for text in
        ["", "Gi", "1Q", "1.2.3", "1 Gi", "--1", "1e", "99999999999999999999999999999999999999Ei", "1e99"]
    {
        assert_eq!(millis(text), None, "{text}");
    }
}

#[test]
fn a_quantity_is_written_as_kubernetes_writes_it() {
    let cases = [
        (0, "0"),
        (250, "250m"),
        (1500, "1500m"),
        (4000, "4"),
        (20_000, "20"),
        (100_000, "100"),
        (1_000_000, "1k"),
        (1000 * (64 << 20), "64Mi"),
        (1000 * (1536 << 20), "1536Mi"),
        (1000 * (1 << 40), "1Ti"),
        (1_000_000_000_000, "1G"),
        (1000 * 1025, "1025"),
        (-500, "-500m"),
    ];
    for (millis, expected) in cases {
        assert_eq!(canonical(millis), expected);
    }
}

#[test]
fn quantities_that_are_compared_have_the_same_suffix() {
    assert_eq!(alike([3900, 4000, 250]), ["3900m", "4000m", "250m"]);
    assert_eq!(alike([20_000, 20_000, 1000]), ["20", "20", "1"]);
    let gib = 1000 * (1i128 << 30);
    assert_eq!(alike([3 * gib, 4 * gib, gib / 2]), ["3072Mi", "4096Mi", "512Mi"]);
    assert_eq!(alike([0, 4 * gib, 2 * gib]), ["0Gi", "4Gi", "2Gi"]);
    assert_eq!(alike([0, 0, 1000]), ["0", "0", "1"]);
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(millis in -(1i128 << 90)..(1i128 << 90), power in 0u32..8) {
        for base in [1000i128, 1024] {
            let millis = (millis >> (10 * power)) * base.pow(power);
            prop_assert_eq!(super::millis(&canonical(millis)), Some(millis));
        }
    }

    #[test]
    fn what_is_written_alike_is_read_back(millis in prop::array::uniform3(-(1i128 << 60)..(1i128 << 60))) {
        let read = alike(millis).map(|it| super::millis(&it));
        prop_assert_eq!(read, millis.map(Some));
    }
}
