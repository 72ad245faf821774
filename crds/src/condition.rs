//! The vocabulary of conditions: every type that the operator writes, and every reason. The table in the README is generated
//! from here; a reason that nothing produces has no place.

use std::fmt;

/// What a condition is about.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum ConditionType {
    Ready,
    SecretsResolved,
    DatabaseReady,
    SchemaReady,
    GatewayAvailable,
    CacheReady,
    IndexReady,
    Reconciling,
    Stalled,
    Paused,
    ConfigurationWarning,
}

impl ConditionType {
    /// All of them, in the order in which they are reported.
    pub const ALL: [Self; 11] = [
        Self::Ready,
        Self::SecretsResolved,
        Self::DatabaseReady,
        Self::SchemaReady,
        Self::GatewayAvailable,
        Self::CacheReady,
        Self::IndexReady,
        Self::Reconciling,
        Self::Stalled,
        Self::Paused,
        Self::ConfigurationWarning,
    ];

    /// Those that `Ready` sums up.
    pub const SUMMED_UP: [Self; 4] = [Self::SecretsResolved, Self::DatabaseReady, Self::SchemaReady, Self::GatewayAvailable];

    /// The word in `status.conditions[].type`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::SecretsResolved => "SecretsResolved",
            Self::DatabaseReady => "DatabaseReady",
            Self::SchemaReady => "SchemaReady",
            Self::GatewayAvailable => "GatewayAvailable",
            Self::CacheReady => "CacheReady",
            Self::IndexReady => "IndexReady",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Paused => "Paused",
            Self::ConfigurationWarning => "ConfigurationWarning",
        }
    }

    /// One sentence for the README.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Ready => "The pipeline answers. Sums up the next four: False over Unknown over True.",
            Self::SecretsResolved => "Every Secret that the spec names is there, with its key.",
            Self::DatabaseReady => "PostgreSQL accepts connections.",
            Self::SchemaReady => "The schema is that of the gateway's image.",
            Self::GatewayAvailable => "Gateways answer.",
            Self::CacheReady => "Valkey accepts connections. False costs speed, not answers.",
            Self::IndexReady => "Searches use the index that the number of vectors deserves.",
            Self::Reconciling => "The operator is bringing the cluster to what the spec says.",
            Self::Stalled => "Nothing will change until a person mends something.",
            Self::Paused => "The spec says `paused`, so nothing is changed.",
            Self::ConfigurationWarning => "The spec works, but is probably not what was meant.",
        }
    }

    /// Whether True is the wanted state.
    pub const fn normally_true(self) -> bool {
        match self {
            Self::Ready
            | Self::SecretsResolved
            | Self::DatabaseReady
            | Self::SchemaReady
            | Self::GatewayAvailable
            | Self::CacheReady
            | Self::IndexReady => true,
            Self::Reconciling | Self::Stalled | Self::Paused | Self::ConfigurationWarning => false,
        }
    }
}

impl fmt::Display for ConditionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Declares the reasons once: the word, the types that it is given with, and its meaning.
macro_rules! reasons {
    ($($name:ident [$($condition:ident),+] $meaning:literal;)+) => {
        /// Why a condition is as it is, in one word for programs.
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
        }

        impl Reason {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The word in `status.conditions[].reason` and in Events.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// The conditions that it is given with.
            pub const fn conditions(self) -> &'static [ConditionType] {
                match self { $(Self::$name => &[$(ConditionType::$condition),+],)+ }
            }

            /// One sentence for the README.
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }
        }
    };
}

reasons! {
    AllComponentsReady [Ready] "All four conditions that `Ready` sums up hold.";
    Progressing [Reconciling] "Parts are coming up or being rolled out.";
    UpToDate [Reconciling] "The cluster is what the spec says.";
    WaitingForMend [Reconciling] "Nothing goes on until what `Stalled` names is mended.";
    NothingStalled [Stalled] "Nothing waits for a person.";
    SpecInvalid [Ready, Stalled] "The spec contradicts itself; the message names the field.";
    ApplyFailed [Ready, Stalled] "The API server refused an object; the message says which and why. Tried again with growing pauses.";
    Resolved [SecretsResolved] "All Secrets are there, or none is named.";
    SecretNotFound [SecretsResolved, Ready, Stalled] "A Secret that the spec names does not exist.";
    SecretKeyMissing [SecretsResolved, Ready, Stalled] "A Secret that the spec names lacks the key.";
    CertManagerMissing [SecretsResolved, Ready, Stalled] "The spec names an `issuerRef`, and the cluster has no cert-manager.";
    CertificatePending [SecretsResolved, Ready] "cert-manager was asked for a certificate and has neither issued nor refused it yet.";
    CertificateNotIssued [SecretsResolved, Ready] "A certificate that cert-manager was asked for is refused, or of no use as it is issued; the message has its words. It tries again.";
    NotObserved [SecretsResolved, DatabaseReady, SchemaReady, GatewayAvailable, CacheReady, IndexReady, Ready] "Not looked at, for another condition stands in the way.";
    SinglePrimary [DatabaseReady] "PostgreSQL is ready; it is one primary without a standby.";
    Provisioning [DatabaseReady, CacheReady, GatewayAvailable, Ready] "The pods are being created.";
    VolumePending [DatabaseReady, Ready, Stalled] "The volume is not provided: no such storage class, or no space.";
    Unschedulable [DatabaseReady, CacheReady, GatewayAvailable, Ready, Stalled] "No node has room for a pod.";
    ImagePull [DatabaseReady, CacheReady, GatewayAvailable, SchemaReady, Ready, Stalled] "An image cannot be fetched.";
    Crashing [DatabaseReady, CacheReady, GatewayAvailable, Ready, Stalled] "A container ends again and again; the message has its last words.";
    Unready [DatabaseReady, CacheReady, GatewayAvailable, Ready] "A pod runs but does not answer its probe.";
    Applied [SchemaReady] "All migrations have run.";
    Migrating [SchemaReady, Ready] "The schema Job runs.";
    WaitingForDatabase [SchemaReady, GatewayAvailable, Ready] "Waits for the database.";
    WaitingForSchema [GatewayAvailable, Ready] "Waits for the schema.";
    WaitingForSecrets [GatewayAvailable, Ready] "Waits for a Secret that the spec names.";
    MigrationFailed [SchemaReady, Ready, Stalled] "The schema Job failed; the message has its last words.";
    MinimumReplicasAvailable [GatewayAvailable] "Gateways answer.";
    QuotaExceeded [DatabaseReady, CacheReady, GatewayAvailable, Ready, Stalled] "A ResourceQuota of the namespace leaves no room for a pod.";
    PodRefused [DatabaseReady, CacheReady, GatewayAvailable, Ready, Stalled] "The cluster refuses a pod, as a LimitRange or an admission policy does; the message says why.";
    StorageNotEncrypted [DatabaseReady, Ready, Stalled] "The spec requires encrypted volumes, and the storage class does not declare them.";
    Replicated [DatabaseReady] "A primary serves, and all of its standbys or read replicas follow.";
    StandbyMissing [DatabaseReady] "A primary serves, and a standby or read replica is missing; searches go to the others.";
    FailingOver [DatabaseReady, Ready] "The primary of CloudNativePG's Cluster is lost or changed, and a standby takes its place; searches go on, writes wait.";
    CloudNativePgMissing [DatabaseReady, Ready, Stalled] "The spec names `postgres.cloudNativePg`, and the cluster has no CloudNativePG.";
    External [DatabaseReady] "The schema is in the PostgreSQL that the spec names.";
    WaitingForSchemaJob [DatabaseReady, Ready] "The schema Job has not reached the PostgreSQL that the spec names yet.";
    Stopped [GatewayAvailable, Ready] "The spec says `stopped`.";
    ScaledToZero [GatewayAvailable, Ready] "The spec asks for no gateway.";
    ProgressDeadlineExceeded [GatewayAvailable, Ready, Stalled] "A roll-out takes too long; the gateways of before still answer, if there were any.";
    ExternalCache [CacheReady] "The spec names a Valkey or Redis of its own; gateways go on without it while it is away.";
    Available [CacheReady] "Valkey is ready.";
    Disabled [CacheReady] "The spec switches the cache off.";
    ExactScan [IndexReady] "Few vectors: they are searched exactly.";
    IvfFlat [IndexReady] "An ivfflat index serves.";
    Hnsw [IndexReady] "An HNSW index serves.";
    Building [IndexReady] "The index Job runs; searches use what was there before.";
    BuildPending [IndexReady] "Another index is due; its Job has not started yet.";
    OutsideWindow [IndexReady] "Another index is due and waits for `index.maintenanceWindow`.";
    BuildFailed [IndexReady] "The index Job failed; searches use what was there before.";
    NoReport [IndexReady] "No gateway has reported the index yet.";
    SpecPaused [Paused, Reconciling] "The spec says `paused`.";
    NotPaused [Paused] "The spec does not say `paused`.";
    NothingToWarnOf [ConfigurationWarning] "Nothing to warn of.";
    GatewayApiMissing [ConfigurationWarning] "The spec names `gateway.route`, and the cluster has no Gateway API.";
    NoMetricsServer [ConfigurationWarning] "The spec names `gateway.autoscaling`, and the autoscaler cannot read what it scales by.";
    RecallBelowTarget [ConfigurationWarning] "An index finds fewer of the true neighbours than `index.recallTarget` asks for.";
    CertificateNotRenewed [ConfigurationWarning] "cert-manager cannot renew a certificate; the last one serves until it ends.";
    RotationFailed [ConfigurationWarning] "A Job that changes the application's password failed; the message has its last words.";
    RotationNotManaged [ConfigurationWarning] "The pipeline is annotated for another password, and its PostgreSQL is not a managed one.";
    IndexTierMismatch [ConfigurationWarning] "The data has outgrown `dataset.expectedVectors` and deserves another index.";
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
