// The figures of scored maps as JSON.
#include <nlohmann/json.hpp>

#include "acol/evaluate/max_box_acc.h"
#include "acol/evaluate/score_maps.h"
#include "tensor/check.h"

namespace acol {

namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json();
}

// {"0.3": ..., "0.5": ..., "0.7": ...}
template <class Values>
Json at_deltas(const Values& values) {
  Json json;
  for (std::size_t d = 0; d < MaxBoxAcc::deltas.size(); ++d) json[message(MaxBoxAcc::deltas[d])] = values[d];
  return json;
}

Json rounded(const std::vector<double>& thresholds) {
  Json json = Json::array();
  for (const double threshold : thresholds) json.push_back(rounded_threshold(threshold));
  return json;
}

Json intervals_of(const Intervals& intervals) {
  Json json;
  const auto put = [&](const char* name, const std::optional<Interval>& interval) {
    if (interval) json[name] = {interval->low, interval->high};
  };
  put("max_box_acc", intervals.of(Rate::max_box_acc));
  put("max_box_acc_v2", intervals.max_box_acc_v2);
  put("gt_known_loc", intervals.of(Rate::gt_known));
  put("corloc", intervals.corloc);
  return json;
}

Json curves_of(const MapScores& scores) {
  Json json;
  if (!scores.thresholds.empty()) {
    json["threshold"] = rounded(scores.thresholds);
    json["max_box_acc"] = scores.curve_v1;
    json["max_box_acc_v2_at"] = at_deltas(scores.curves_v2);
  }
  if (scores.pxap_curve) {
    json["pxap"]["threshold"] = rounded(scores.pxap_curve->thresholds);
    json["pxap"]["precision"] = scores.pxap_curve->precision;  // NaN, where no pixel has such a score, becomes null
    json["pxap"]["recall"] = scores.pxap_curve->recall;
  }
  return json;
}

}  // namespace

std::string to_json(const MapScores& scores, int indent) {
  Json json;
  json["n"] = scores.images;
  json["max_box_acc"] = or_null(scores.max_box_acc);
  json["max_box_acc_v2"] = or_null(scores.max_box_acc_v2);
  json["max_box_acc_at"] = scores.max_box_acc_at ? at_deltas(*scores.max_box_acc_at) : Json();
  json["best_threshold"] = scores.best_threshold ? Json(rounded_threshold(*scores.best_threshold)) : Json();
  const auto& best_v2 = scores.best_thresholds_v2;
  json["best_thresholds_v2"] = best_v2 ? at_deltas(rounded({best_v2->begin(), best_v2->end()})) : Json();
  json["pxap"] = or_null(scores.pxap);
  json["gt_known_loc"] = or_null(scores.gt_known_loc);
  json["gt_known_loc_without_blacklist"] = or_null(scores.gt_known_loc_listed);
  json["corloc"] = or_null(scores.corloc);
  json["n_with_box"] = scores.with_box;
  json["n_with_mask"] = scores.with_mask;
  json["n_without_truth"] = scores.without_truth;
  json["n_blacklisted"] = scores.blacklisted;
  json["n_missing"] = scores.missing;
  json["missing"] = scores.missing_ids;
  if (scores.intervals) json["intervals"] = intervals_of(*scores.intervals);
  json["curves"] = curves_of(scores);
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

}  // namespace acol
