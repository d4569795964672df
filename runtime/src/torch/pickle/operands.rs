//! What stands behind an operation in the text of a pickle.

/// The bytes of a pickle that are left.
pub struct Operands<'a>(pub &'a [u8]);

impl<'a> Operands<'a> {
    pub fn bytes(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or_else(cut)?;
        self.0 = rest;
        Ok(taken)
    }

    /// A little-endian number of so many bytes, at most 8, without a sign.
    pub fn number(&mut self, length: usize) -> Result<usize, String> {
        let mut number = [0; 8];
        number[..length].copy_from_slice(self.bytes(length)?);
        usize::try_from(u64::from_le_bytes(number)).map_err(|_| cut())
    }

    /// Bytes behind a number of so many bytes that says how many they are.
    pub fn counted(&mut self, length: usize) -> Result<&'a [u8], String> {
        let count = self.number(length)?;
        self.bytes(count)
    }

    pub fn text(&mut self, length: usize) -> Result<&'a str, String> {
        utf8(self.counted(length)?)
    }

    /// Up to the end of the line, which is passed over.
    pub fn line(&mut self) -> Result<&'a str, String> {
        let length = self.0.iter().position(|byte| *byte == b'\n').ok_or_else(cut)?;
        let line = utf8(self.bytes(length)?)?;
        self.bytes(1)?;
        Ok(line)
    }
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "holds a name that is not UTF-8; save it again".to_string())
}

fn cut() -> String {
    "is truncated: its pickle ends too early; copy it again".to_string()
}
