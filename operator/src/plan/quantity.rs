//! Reads Kubernetes' notation of amounts.

use ragline_crds::spec::Quantity;

/// One mebibyte.
pub const MIB: u64 = 1 << 20;

/// The amount of bytes that a quantity names, rounded up. `None` where it is no quantity or beyond all bounds.
pub fn bytes(quantity: &Quantity) -> Option<u64> {
    thousandths(quantity).and_then(|amount| u64::try_from(amount.div_ceil(1_000)).ok())
}

/// The amount in thousandths, as CPUs are counted.
pub fn thousandths(quantity: &Quantity) -> Option<u128> {
    let text = quantity.0.as_str();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let factor: u128 = match suffix {
        "m" => 1,
        "" => 1_000,
        "k" => 1_000_000,
        "M" => 1_000_000_000,
        "G" => 1_000_000_000_000,
        "T" => 1_000_000_000_000_000,
        "P" => 1_000_000_000_000_000_000,
        "Ki" => 1_000 << 10,
        "Mi" => 1_000 << 20,
        "Gi" => 1_000 << 30,
        "Ti" => 1_000 << 40,
        "Pi" => 1_000 << 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || whole.len() > 15 || fraction.len() > 9 || number.ends_with('.') {
        return None;
    }
    let whole: u128 = whole.parse().ok()?;
    let fraction: u128 = format!("{fraction:0<9}").parse().ok()?;
    Some(whole * factor + (fraction * factor).div_ceil(1_000_000_000))
}

/// The shortest notation of a number of bytes in binary units.
pub fn from_bytes(bytes: u64) -> Quantity {
    let units = [("Gi", 30), ("Mi", 20), ("Ki", 10)];
    let fitting = units.iter().find(|(_, shift)| bytes > 0 && bytes.is_multiple_of(1 << shift));
    Quantity(fitting.map_or_else(|| bytes.to_string(), |(unit, shift)| format!("{}{unit}", bytes >> shift)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("1Gi", Some(1 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("512Mi", Some(512 << 20)),
            ("1G", Some(1_000_000_000)),
            ("128974848", Some(128_974_848)),
            ("1500m", Some(2)),
            ("0", Some(0)),
            ("Gi", None),
            ("1.", None),
            ("1e3", None),
            ("-1", None),
            ("", None),
            ("9999999999999999Pi", None),
        ];
        for (text, wanted) in cases {
            assert_eq!(bytes(&Quantity(text.into())), wanted, "{text}");
        }
        assert_eq!(thousandths(&Quantity("250m".into())), Some(250));
    }

    #[test]
    fn bytes_are_written_in_the_largest_unit_that_divides_them() {
        for (amount, wanted) in [(1 << 30, "1Gi"), (384 << 20, "384Mi"), (1_000, "1000"), (0, "0")] {
            assert_eq!(from_bytes(amount).0, wanted);
        }
    }
}
