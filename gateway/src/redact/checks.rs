//! Check digits. Digits come as bytes `0` to `9`.

/// Of cards (ISO/IEC 7812).
pub(super) fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let digit = u32::from(digit - b'0');
            match (at % 2, digit * 2) {
                (0, _) => digit,
                (_, double) if double > 9 => double - 9,
                (_, double) => double,
            }
        })
        .sum();
    sum.is_multiple_of(10)
}

/// Of bank accounts (ISO 7064 MOD 97-10); letters in upper case, the first four characters already at their place.
pub(super) fn iban(compact: &[u8]) -> bool {
    let (head, tail) = compact.split_at(compact.len().min(4));
    let rest = tail.iter().chain(head).fold(0_u32, |rest, byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte.saturating_sub(b'A')) + 10) % 97,
    });
    rest == 1
}

/// Of the German tax number (ISO 7064 MOD 11, 10): eleven digits, of the first ten just one occurs two or three times.
pub(super) fn steuer_id(digits: &[u8]) -> bool {
    let Some((last, first)) = digits.split_last() else { return false };
    if digits.len() != 11 || first[0] == b'0' {
        return false;
    }
    let mut times = [0_u8; 10];
    for digit in first {
        times[usize::from(digit - b'0')] += 1;
    }
    let repeated = times.iter().filter(|times| **times > 1).count();
    if repeated != 1 || times.iter().any(|times| *times > 3) {
        return false;
    }
    let product = first.iter().fold(10_u32, |product, digit| {
        let sum = (u32::from(digit - b'0') + product) % 10;
        (if sum == 0 { 10 } else { sum }) * 2 % 11
    });
    (11 - product) % 10 == u32::from(last - b'0')
}

/// Of the French social security number: thirteen digits and their key, Corsica as 19 or 18.
pub(super) fn nir(digits: &[u8]) -> bool {
    if digits.len() != 15 || !matches!(digits[0], b'1'..=b'4' | b'7' | b'8') {
        return false;
    }
    let month = number(&digits[3..5]);
    if !matches!(month, 1..=12 | 20 | 30..=42 | 50..=99) {
        return false;
    }
    97 - number(&digits[..13]) % 97 == number(&digits[13..])
}

/// The letter of the Spanish DNI and NIE.
pub(super) fn dni_letter(number: u64) -> u8 {
    b"TRWAGMYFPDXBNJZSQVHLCKE"[usize::try_from(number % 23).unwrap_or_default()]
}

/// Of the Italian codice fiscale: sixteen letters in upper case and digits.
pub(super) fn codice_fiscale(compact: &[u8]) -> bool {
    const ODD: [u32; 26] = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
    let Some((last, first)) = compact.split_last() else { return false };
    let values = first.iter().map(|byte| if byte.is_ascii_digit() { byte - b'0' } else { byte.saturating_sub(b'A') });
    let sum: u32 =
        values.enumerate().map(|(at, value)| if at % 2 == 0 { ODD[usize::from(value).min(25)] } else { u32::from(value) }).sum();
    compact.len() == 16 && u32::from(last.saturating_sub(b'A')) == sum % 26
}

pub(super) fn number(digits: &[u8]) -> u64 {
    digits.iter().filter(|byte| byte.is_ascii_digit()).fold(0, |sum, digit| sum * 10 + u64::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_examples_hold_and_a_changed_digit_is_seen() {
        assert!(luhn(b"4111111111111111") && !luhn(b"4111111111111112"));
        assert!(iban(b"DE89370400440532013000") && !iban(b"DE89370400440532013001"));
        assert!(iban(b"GB82WEST12345698765432"));
        assert!(steuer_id(b"86095742719") && !steuer_id(b"86095742718"));
        assert!(nir(b"255081416802538") && !nir(b"255081416802539"));
        assert_eq!(dni_letter(12_345_678), b'Z');
        assert!(codice_fiscale(b"RSSMRA85T10A562S") && !codice_fiscale(b"RSSMRA85T10A562T"));
    }
}
