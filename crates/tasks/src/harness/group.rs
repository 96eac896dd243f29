//! Groups: several tasks under one name, with the mean of their metrics.

use serde_json::{Map, Value};

use super::fields::Fields;
use super::yaml;
use crate::TaskError;

/// A group as its file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// `group`: its name.
    pub name: String,
    /// `group_alias`: what is shown instead.
    pub alias: Option<String>,
    /// `task`: its members in their order.
    pub members: Vec<Member>,
    /// `aggregate_metric_list`: what is computed over its tasks.
    pub metrics: Vec<GroupMetric>,
    /// `metadata`.
    pub metadata: Value,
}

/// A member of a group.
#[derive(Debug, Clone, PartialEq)]
pub enum Member {
    /// A task, a group or a tag by its name, with the keys that are set for it here.
    Named(String, Map<String, Value>),
    /// A group that is described here.
    Group(Group),
}

/// A metric over the tasks of a group.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupMetric {
    /// Its name in the tasks.
    pub metric: String,
    /// Under which filter pipelines; under all that there are if there is none.
    pub filters: Vec<String>,
    /// Whether a task counts by its number of documents, or each once.
    pub weight_by_size: bool,
}

/// A task's result, as a group takes it in.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemberResult {
    /// The value of the metric.
    pub value: f64,
    /// Its standard error, where there is one.
    pub standard_error: Option<f64>,
    /// The number of documents.
    pub documents: usize,
}

impl Group {
    pub(super) fn from_fields(fields: &Map<String, Value>) -> Result<Self, TaskError> {
        // Keys of a task in a group's file are set for all its members.
        let own = ["group", "group_alias", "task", "aggregate_metric_list", "metadata", "tag", "dataset_path"];
        let (own, for_all): (Map<_, _>, Map<_, _>) =
            fields.clone().into_iter().partition(|(key, _)| own.contains(&key.as_str()));
        let mut fields = Fields::new("", own);
        let members = match fields.take("task") {
            None => Vec::new(),
            Some(Value::Array(members)) => {
                members.into_iter().map(|entry| member(&fields, entry, &for_all)).collect::<Result<_, _>>()?
            }
            Some(one) => vec![member(&fields, one, &for_all)?],
        };
        let metrics = match fields.take("aggregate_metric_list") {
            None => Vec::new(),
            Some(Value::Array(metrics)) => metrics.into_iter().map(metric).collect::<Result<_, _>>()?,
            Some(one) => vec![metric(one)?],
        };
        Ok(Self {
            name: fields.text("group")?.unwrap_or_default(),
            alias: fields.text("group_alias")?,
            members,
            metrics,
            metadata: fields.take("metadata").unwrap_or_default(),
        })
    }
}

fn member(fields: &Fields, entry: Value, for_all: &Map<String, Value>) -> Result<Member, TaskError> {
    match entry {
        Value::String(name) => Ok(Member::Named(name, for_all.clone())),
        Value::Object(entry) => {
            let mut all = for_all.clone();
            all.extend(entry);
            if all.contains_key("group") && all.contains_key("task") {
                return Group::from_fields(&all).map(Member::Group);
            }
            let name = all.shift_remove("task").or_else(|| all.shift_remove("group"));
            match name {
                Some(Value::String(name)) => Ok(Member::Named(name, all)),
                other => Err(fields.unsupported("task", &other.unwrap_or_default(), "a member has the name of a task")),
            }
        }
        other => Err(fields.unsupported("task", &other, "a member is a name, or a mapping with 'task' or 'group'")),
    }
}

fn metric(entry: Value) -> Result<GroupMetric, TaskError> {
    let mut fields = Fields::of("aggregate_metric_list.", entry)?;
    if let Some(aggregation) = fields.take("aggregation")
        && aggregation != "mean"
    {
        let reason = "the only aggregation of a group is mean";
        return Err(match yaml::function(&aggregation) {
            Some(_) => fields.refused("aggregation", &aggregation, reason),
            None => fields.unsupported("aggregation", &aggregation, reason),
        });
    }
    let metric = GroupMetric {
        metric: fields.text("metric")?.unwrap_or_default(),
        filters: fields.texts("filter_list")?.unwrap_or_default(),
        weight_by_size: fields.flag("weight_by_size")?.unwrap_or(true),
    };
    fields.take("higher_is_better");
    fields.finish()?;
    Ok(metric)
}

/// The mean of the members' values, with its standard error if all of them have one: pooled where they count by their
/// size, and that of a plain mean otherwise. Nothing if there are no members.
pub fn pooled(members: &[MemberResult], weight_by_size: bool) -> Option<MemberResult> {
    if members.is_empty() {
        return None;
    }
    let documents: usize = members.iter().map(|member| member.documents).sum();
    let count = members.len() as f64;
    let weight = |member: &MemberResult| if weight_by_size { member.documents as f64 } else { 1.0 };
    let weights: f64 = members.iter().map(weight).sum();
    let value = members.iter().map(|member| member.value * weight(member)).sum::<f64>() / weights;
    let errors: Option<Vec<(f64, f64)>> =
        members.iter().map(|member| member.standard_error.map(|error| (error, member.documents as f64))).collect();
    let standard_error = errors.map(|errors| {
        if weight_by_size {
            let variance: f64 = errors.iter().map(|(error, size)| (size - 1.0) * error * error * size).sum();
            (variance / (documents as f64 - count) / documents as f64).sqrt()
        } else {
            errors.iter().map(|(error, _)| error * error).sum::<f64>().sqrt() / count
        }
    });
    Some(MemberResult { value, standard_error, documents })
}
