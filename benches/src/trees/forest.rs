//! Rows and trees at random.

use std::fmt::Write;

/// Features of a row.
pub(super) const FEATURES: usize = 30;
/// Fraction bits of the features: both sides meet the same numbers.
pub(super) const BITS: u8 = 16;

/// Splitmix64.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// The sum of four numbers, between -2^17 and 2^17: a bell.
    pub(super) fn bell(&mut self) -> i32 {
        let bits = self.next();
        (0..4).map(|part| i32::try_from(bits >> (16 * part) & 0xffff).unwrap_or(0) - 0x8000).sum()
    }
}

/// Rows as both sides take them.
pub(super) struct Rows {
    pub(super) integers: Vec<i32>,
    pub(super) real: Vec<f64>,
}

impl Rows {
    pub(super) fn new(count: usize) -> Rows {
        let mut numbers = Numbers(1);
        let integers: Vec<i32> = (0..count * FEATURES).map(|_| numbers.bell()).collect();
        let real = integers.iter().map(|number| f64::from(*number) / f64::from(1 << BITS)).collect();
        Rows { integers, real }
    }
}

/// A model as LightGBM writes it: full trees with random features and thresholds.
pub(super) fn text(trees: usize, depth: u32) -> String {
    let mut numbers = Numbers(2);
    let leaves = 1_usize << depth;
    let (names, infos): (Vec<String>, Vec<&str>) =
        (0..FEATURES).map(|feature| (format!("f{feature}"), "[-2:2]")).unzip();
    let blocks: Vec<String> = (0..trees).map(|tree| block(&mut numbers, tree, leaves)).collect();
    let sizes: Vec<String> = blocks.iter().map(|block| block.len().to_string()).collect();
    let mut text = format!(
        "tree\nversion=v4\nnum_class=1\nnum_tree_per_iteration=1\nlabel_index=0\nmax_feature_idx={}\nobjective=binary sigmoid:1\n\
         feature_names={}\nfeature_infos={}\ntree_sizes={}\n\n",
        FEATURES - 1,
        names.join(" "),
        infos.join(" "),
        sizes.join(" ")
    );
    blocks.iter().for_each(|block| text.push_str(block));
    text.push_str(
        "end of trees\n\nfeature_importances:\n\nparameters:\nend of parameters\n\npandas_categorical:null\n",
    );
    text
}

fn block(numbers: &mut Numbers, tree: usize, leaves: usize) -> String {
    let count = leaves - 1;
    let list = |values: &mut dyn Iterator<Item = String>| values.collect::<Vec<_>>().join(" ");
    let mut number = |below: usize| usize::try_from(numbers.next() % below as u64).unwrap_or(0);
    let features = list(&mut (0..count).map(|_| number(FEATURES).to_string()));
    // Halves between two numbers of the grid, in the middle of the bell.
    let thresholds = list(&mut (0..count).map(|_| {
        let near = f64::from(u32::try_from(number(1 << 17)).unwrap_or(0)) - f64::from(1 << 16) + 0.5;
        (near / f64::from(1 << BITS)).to_string()
    }));
    let values = list(&mut (0..leaves).map(|_| {
        let value = f64::from(u32::try_from(number(1 << 20)).unwrap_or(0)) - f64::from(1 << 19);
        (value / f64::from(1 << 23)).to_string()
    }));
    let child = |at: usize| if at < count { at.to_string() } else { format!("-{}", at - count + 1) };
    let left = list(&mut (0..count).map(|at| child(2 * at + 1)));
    let right = list(&mut (0..count).map(|at| child(2 * at + 2)));
    let mut text = String::new();
    let _ = write!(
        text,
        "Tree={tree}\nnum_leaves={leaves}\nnum_cat=0\nsplit_feature={features}\nsplit_gain={zeros}\nthreshold={thresholds}\n\
         decision_type={kinds}\nleft_child={left}\nright_child={right}\nleaf_value={values}\nleaf_weight={ones}\nleaf_count={ones}\n\
         internal_value={zeros}\ninternal_weight={zeros}\ninternal_count={zeros}\nis_linear=0\nshrinkage=1\n\n\n",
        zeros = list(&mut (0..count).map(|_| "0".to_owned())),
        kinds = list(&mut (0..count).map(|_| "2".to_owned())),
        ones = list(&mut (0..leaves).map(|_| "1".to_owned())),
    );
    text
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_importer_reads_the_text() {
        let text = super::text(3, 6);
        let options = noema_import::TreeOptions::new("full", "CC0-1.0");
        let report = noema_import::import_lightgbm(text.as_bytes(), &options).unwrap().report;
        assert_eq!((report.trees, report.decisions, report.depth), (3, 189, 6));
    }
}
