//! The state of the indexes as a table for people.

use ragline_config::index::{IndexKind, QueryParameters};

use super::status::{IndexStatus, RelationStatus};

const HEAD: [&str; 7] = ["WORKSPACE", "VECTORS", "INDEX", "SEARCHED WITH", "RECALL", "SIZE", "STATE"];

impl IndexStatus {
    /// One line a relation, largest first, under a line about all.
    pub fn to_text(&self) -> String {
        let mut rows = vec![HEAD.map(str::to_owned)];
        rows.extend(self.relations.iter().map(cells));
        let width = |column: usize| rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.chars().count())).max();
        let widths: Vec<usize> = (0..HEAD.len()).map(|column| width(column).unwrap_or(0)).collect();
        let tiers = self.report.tiers;
        let mut text = format!(
            "{} vectors; relations: {} exact, {} ivfflat, {} HNSW\n\n",
            self.report.vectors, tiers.exact, tiers.ivf_flat, tiers.hnsw
        );
        for row in &rows {
            let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:width$}")).collect();
            text.push_str(padded.join("  ").trim_end());
            text.push('\n');
        }
        for warning in self.relations.iter().filter_map(|relation| relation.warning.as_ref()) {
            text.push_str(&format!("\nwarning: {warning}\n"));
        }
        text
    }
}

fn cells(relation: &RelationStatus) -> [String; 7] {
    let query = match relation.query {
        QueryParameters::Exact => "every vector".to_owned(),
        QueryParameters::IvfFlat { probes } => format!("probes {probes}"),
        QueryParameters::Hnsw { ef_search } => format!("ef_search {ef_search}"),
    };
    let recall = match (relation.active, relation.recall) {
        (IndexKind::Exact, _) => "1".to_owned(),
        (_, Some(recall)) => format!("{recall:.3}"),
        (_, None) => "not measured".to_owned(),
    };
    let size = if relation.size_bytes == 0 { "-".to_owned() } else { format!("{} MB", relation.size_bytes.div_ceil(1 << 20)) };
    let workspace = relation.workspace.clone().unwrap_or_else(|| "(small ones)".to_owned());
    [workspace, relation.rows.to_string(), named(&relation.active), query, recall, size, state(relation)]
}

fn named(kind: &IndexKind) -> String {
    match *kind {
        IndexKind::Exact => "none".to_owned(),
        IndexKind::IvfFlat { lists } => format!("ivfflat, {lists} lists"),
        IndexKind::Hnsw { m, .. } => format!("HNSW, m {m}"),
    }
}

fn state(relation: &RelationStatus) -> String {
    if let Some(moving) = &relation.moving {
        let what = if moving.switched { "moved in, old rows are removed" } else { "a workspace moves in" };
        return format!("{what}: {} of {} rows", moving.rows_done, moving.rows_total);
    }
    match &relation.build {
        Some(build) if build.running => {
            format!("builds {}: {} of {}", named(&relation.desired), build.blocks_done, build.blocks_total)
        }
        Some(build) if build.error.is_some() => format!("failed: {}", build.error.as_deref().unwrap_or_default()),
        Some(_) | None if !relation.due => "ready".to_owned(),
        Some(_) | None if relation.desired == relation.active => "due to be measured or rebuilt".to_owned(),
        Some(_) | None => format!("due to become {}", named(&relation.desired)),
    }
}

#[cfg(test)]
mod tests {
    use ragline_config::{IndexReport, TierCounts};

    use super::*;

    #[test]
    fn a_line_tells_each_relation_and_a_warning_follows() {
        let relation = |rows, active, query, recall| RelationStatus {
            relation: 1,
            workspace: Some("default".into()),
            rows,
            active,
            query,
            desired: active,
            due: false,
            rows_at_build: rows,
            valid: true,
            size_bytes: 20 << 20,
            recall,
            warning: None,
            built_at: None,
            build: None,
            moving: None,
        };
        let small = IndexKind::IvfFlat { lists: 100 };
        let mut first = relation(20_000, small, QueryParameters::IvfFlat { probes: 8 }, Some(0.9612));
        first.warning = Some("too little".into());
        let mut pool = relation(7, IndexKind::Exact, QueryParameters::Exact, None);
        (pool.workspace, pool.size_bytes, pool.due, pool.desired) = (None, 0, true, small);
        let report = IndexReport {
            vectors: 20_007,
            rows: 20_000,
            active: small,
            rows_at_build: 20_000,
            desired: small,
            due: false,
            recall: None,
            warning: None,
            tiers: TierCounts { exact: 1, ivf_flat: 1, hnsw: 0 },
            largest: Vec::new(),
            build: None,
        };
        let text = IndexStatus { report, relations: vec![first, pool] }.to_text();
        let expected = "20007 vectors; relations: 1 exact, 1 ivfflat, 0 HNSW\n\n\
            WORKSPACE     VECTORS  INDEX               SEARCHED WITH  RECALL  SIZE   STATE\n\
            default       20000    ivfflat, 100 lists  probes 8       0.961   20 MB  ready\n\
            (small ones)  7        none                every vector   1       -      due to become ivfflat, 100 lists\n\n\
            warning: too little\n";
        assert_eq!(text, expected);
    }
}
