//! Several object files in one run of bytes: each after its length.

pub fn pack(objects: &[Vec<u8>]) -> Vec<u8> {
    objects
        .iter()
        .flat_map(|object| (object.len() as u64).to_le_bytes().into_iter().chain(object.iter().copied()))
        .collect()
}

/// Nothing if the bytes are not what [`pack`] makes.
pub fn unpack(mut bytes: &[u8]) -> Option<Vec<&[u8]>> {
    let mut objects = Vec::new();
    while !bytes.is_empty() {
        let (length, rest) = bytes.split_first_chunk::<8>()?;
        let (object, rest) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*length)).ok()?)?;
        objects.push(object);
        bytes = rest;
    }
    Some(objects)
}

#[cfg(test)]
mod tests {
    use super::{pack, unpack};

    #[test]
    fn what_is_packed_comes_back() {
        let objects = vec![vec![1, 2, 3], vec![], vec![9; 300]];
        let packed = pack(&objects);
        assert_eq!(unpack(&packed).unwrap(), objects);
    }

    #[test]
    fn cut_bytes_are_refused() {
        let packed = pack(&[vec![1; 10], vec![2; 20]]);
        for length in 0..packed.len() {
            let whole_object = length == 0 || length == 18;
            assert_eq!(unpack(&packed[..length]).is_some(), whole_object, "cut at {length}");
        }
        assert!(unpack(&[0xff; 64]).is_none());
    }
}
