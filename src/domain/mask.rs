//! Addresses made unreadable in text for many eyes, and still told apart.

use sha2::{Digest as _, Sha256};

/// Masks each email address in a text: `j***@acme.example#3f2a1c`. What follows the domain is
/// a short hash of the whole address without regard to case, the same everywhere, so that two
/// people whose addresses look alike masked are still two.
pub fn mask(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('@') {
        let (before, after) = (&rest[..at], &rest[at + 1..]);
        let local = before.rfind(|c: char| !is_local(c)).map_or(0, |end| end + char_len(before, end));
        let length = after.find(|c: char| !is_domain(c)).unwrap_or(after.len());
        let domain = after[..length].trim_end_matches(['.', '-']);
        let name = &before[local..];
        if name.is_empty() || !domain.contains('.') {
            out.push_str(&rest[..=at]);
            rest = after;
            continue;
        }
        let first: String = name.chars().take(1).collect();
        let address = format!("{name}@{domain}").to_lowercase();
        let hash = Sha256::digest(address.as_bytes());
        out.push_str(&before[..local]);
        out.push_str(&format!("{first}***@{domain}#{:02x}{:02x}{:02x}", hash[0], hash[1], hash[2]));
        rest = &after[domain.len()..];
    }
    out.push_str(rest);
    out
}

fn char_len(text: &str, at: usize) -> usize {
    text[at..].chars().next().map_or(1, char::len_utf8)
}

/// What stands before the `@` of an address that a manifest may hold, and of most others.
fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_{|}~.".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || c == '.' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_first_letter_its_domain_and_which_it_is() {
        for (text, masked) in [
            ("add jane@acme.example with full access", "add j***@acme.example#"),
            ("dns+acme@agency.example.", "d***@agency.example#"),
            ("(jörg@müller.example)", "(j***@müller.example#"),
        ] {
            let shown = mask(text);
            assert!(shown.starts_with(masked), "{shown}");
        }
        assert_eq!(mask("Jane@Acme.example").rsplit('#').next(), mask("jane@acme.example").rsplit('#').next());
        assert_ne!(mask("jane@acme.example"), mask("john@acme.example"));
    }

    #[test]
    fn what_is_no_address_stays() {
        for text in ["@", "a @ b", "see @team", "user@localhost", "50@", "", "no address"] {
            assert_eq!(mask(text), text);
        }
    }

    #[test]
    fn no_local_part_is_left_whatever_stands_around_it() {
        for around in ["\"{}\"", "<{}>", "a:{},b", "x{}", "{}\n{}", "`{}`", "->{}"] {
            let text = around.replace("{}", "secret.person@acme.example");
            assert!(!mask(&text).contains("ecret"), "{}", mask(&text));
        }
    }
}
