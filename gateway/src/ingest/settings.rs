//! How files are worked off. Taken from the configuration; what has no field there has its reason here.

use std::time::Duration;

use ragline_config::{Config, EmbeddingProvider};

/// The settings of the workers.
#[derive(Clone, Copy, Debug)]
pub struct WorkerSettings {
    /// Files under way at once.
    pub workers: usize,
    /// A larger file is refused; the upload refuses it before.
    pub file_bytes: u64,
    /// Extraction and chunking of one file may take this long.
    pub extract_timeout: Duration,
    /// A worker that has not been heard of for so long has lost its file.
    pub lease: Duration,
    /// Times that a file may take its worker down with it.
    pub max_attempts: u32,
    /// Times that a file waits for something that is not its fault. With [`WorkerSettings::delay`] that is about an hour.
    pub max_releases: u32,
    /// Longest wait between two tries.
    pub most_delay: Duration,
    /// Texts that are embedded together.
    pub group: usize,
}

/// The wait before the first retry; doubles each time.
const FIRST_DELAY: Duration = Duration::from_secs(2);

impl Default for WorkerSettings {
    fn default() -> Self {
        Self {
            workers: 1,
            file_bytes: 64 << 20,
            extract_timeout: Duration::from_secs(120),
            lease: Duration::from_secs(60),
            max_attempts: 3,
            max_releases: 60,
            most_delay: Duration::from_secs(60),
            group: 64,
        }
    }
}

impl WorkerSettings {
    pub fn of(config: &Config) -> Self {
        let group = match &config.embedding.provider {
            // One text after the other: small groups keep the progress fresh.
            EmbeddingProvider::Builtin { .. } => 64,
            // Enough to keep every permitted request busy.
            EmbeddingProvider::OpenAiCompatible(_)
            | EmbeddingProvider::OpenAi(_)
            | EmbeddingProvider::AzureOpenAi(_)
            | EmbeddingProvider::OpenRouter(_)
            | EmbeddingProvider::TextEmbeddingsInference(_) => {
                (config.embedding.batch_size.saturating_mul(config.embedding.concurrent_requests) as usize).clamp(64, 512)
            }
        };
        Self {
            file_bytes: config.limits.file_bytes,
            extract_timeout: config.limits.extract_timeout_seconds.into(),
            group,
            ..Self::default()
        }
    }

    /// The wait after a file was released `released` times.
    pub fn delay(&self, released: u32) -> Duration {
        FIRST_DELAY.saturating_mul(1 << released.min(16)).min(self.most_delay)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_bound() {
        let settings = WorkerSettings::default();
        let waits: Vec<_> = (0..7).map(|released| settings.delay(released).as_secs()).collect();
        assert_eq!(waits, [2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(settings.delay(u32::MAX).as_secs(), 60);
    }
}
