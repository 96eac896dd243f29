//! Questions that belong together, such as several about one text, say less than as many that do not.

use std::collections::BTreeMap;

use super::shown;

/// The standard error of the mean of values that come in clusters (Liang and Zeger, 1986; for evaluations Miller, 2024,
/// arXiv 2411.00640), rounded to 6 decimals: what the values of a cluster are off the mean is added up within the
/// cluster before it is squared. With each value in a cluster of its own it is the usual one of a large sample. Each
/// value comes with the name of its cluster. Nothing for no values.
pub fn clustered_standard_error<K: Ord>(values: impl IntoIterator<Item = (K, f64)>) -> Option<f64> {
    let mut clusters: BTreeMap<K, Vec<f64>> = BTreeMap::new();
    for (cluster, value) in values {
        clusters.entry(cluster).or_default().push(value);
    }
    let count = clusters.values().map(Vec::len).sum::<usize>() as f64;
    if count == 0.0 {
        return None;
    }
    let mean = clusters.values().flatten().sum::<f64>() / count;
    let squares: f64 = clusters
        .values()
        .map(|values| {
            let off: f64 = values.iter().map(|value| value - mean).sum();
            off * off
        })
        .sum();
    Some(shown(squares.sqrt() / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_a_question_add_nothing() {
        let values = [1.0, 0.0, 1.0, 1.0, 0.0];
        let alone = clustered_standard_error(values.iter().enumerate().map(|(place, value)| (place, *value)));
        assert_eq!(alone, Some(0.219_089)); // sqrt(0.6 * 0.4 / 5)
        let thrice = values.iter().enumerate().flat_map(|(place, value)| vec![(place, *value); 3]);
        assert_eq!(clustered_standard_error(thrice), alone);
        let as_if_independent = (0..15).map(|place| (place, values[place / 3]));
        assert_eq!(clustered_standard_error(as_if_independent), Some(0.126_491));
        assert_eq!(clustered_standard_error::<u8>([]), None);
    }
}
