//! The version of the database's schema: the number of the newest file in `migrations/`.

/// Newest migration. The operator runs the schema Job again when it rises.
pub const SCHEMA_VERSION: u32 = 23;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_number_of_the_newest_migration() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let newest = names.filter_map(|name| name.split_once('_')?.0.parse::<u32>().ok()).max();
        assert_eq!(newest, Some(SCHEMA_VERSION));
    }
}
