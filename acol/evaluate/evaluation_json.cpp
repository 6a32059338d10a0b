// The figures of an evaluation as JSON.
#include <nlohmann/json.hpp>

#include "acol/evaluate/error_split.h"
#include "acol/evaluate/evaluate.h"
#include "acol/evaluate/max_box_acc.h"

namespace acol {

namespace {

using Json = nlohmann::ordered_json;

Json number_or_null(const std::optional<double>& value) { return value ? Json(*value) : Json(); }

Json errors_of(const Evaluation& evaluation) {
  if (evaluation.images_with_box == 0) return {};
  Json json;
  for (int f = 0; f < localization_faults; ++f) {
    const auto fault = static_cast<LocalizationFault>(f);
    json[name_of(fault)] = number_or_null(evaluation.rates.percent(rate_of(fault)));
  }
  return json;
}

Json intervals_of(const Intervals& intervals) {
  Json json;
  const auto pair = [](const Interval& interval) { return Json{interval.low, interval.high}; };
  const auto put = [&](const char* name, const std::optional<Interval>& interval, bool of_error) {
    if (interval) json[name] = pair(of_error ? error_interval(*interval) : *interval);
  };
  put("top1_cls_err", intervals.of(Rate::top1_cls), true);
  put("top5_cls_err", intervals.of(Rate::top5_cls), true);
  put("top1_loc_err", intervals.of(Rate::top1_loc), true);
  put("top5_loc_err", intervals.of(Rate::top5_loc), true);
  put("top1_loc_err_without_blacklist", intervals.of(Rate::top1_loc_listed), true);
  put("top5_loc_err_without_blacklist", intervals.of(Rate::top5_loc_listed), true);
  put("star_loc_err", intervals.of(Rate::star_loc), true);
  put("star_loc_err_without_blacklist", intervals.of(Rate::star_loc_listed), true);
  put("gt_known_loc", intervals.of(Rate::gt_known), false);
  put("corloc", intervals.corloc, false);
  put("max_box_acc", intervals.of(Rate::max_box_acc), false);
  put("max_box_acc_v2", intervals.max_box_acc_v2, false);
  Json errors;
  for (int f = 0; f < localization_faults; ++f) {
    const auto fault = static_cast<LocalizationFault>(f);
    if (const auto& interval = intervals.of(rate_of(fault))) errors[name_of(fault)] = pair(*interval);
  }
  if (!errors.empty()) json["errors"] = errors;
  return json;
}

}  // namespace

std::string to_json(const Evaluation& evaluation, int indent) {
  Json json;
  const auto put = [&](const char* name, const std::optional<double>& value) { json[name] = number_or_null(value); };
  json["n"] = evaluation.images;
  put("top1_cls_err", evaluation.top1_cls_err);
  put("top5_cls_err", evaluation.top5_cls_err);
  put("top1_loc_err", evaluation.top1_loc_err);
  put("top5_loc_err", evaluation.top5_loc_err);
  put("gt_known_loc", evaluation.gt_known_loc);
  put("max_box_acc", evaluation.max_box_acc);
  put("max_box_acc_v2", evaluation.max_box_acc_v2);
  put("coverage_a", evaluation.coverage_a);
  put("coverage_b", evaluation.coverage_b);
  put("coverage_fused", evaluation.coverage_fused);
  put("precision_a", evaluation.precision_a);
  put("precision_b", evaluation.precision_b);
  put("precision_fused", evaluation.precision_fused);
  json["n_with_box"] = evaluation.images_with_box;
  json["skipped"] = evaluation.skipped;
  json["n_blacklisted"] = evaluation.blacklisted;
  put("top1_loc_err_without_blacklist", evaluation.top1_loc_err_listed);
  put("top5_loc_err_without_blacklist", evaluation.top5_loc_err_listed);
  put("star_loc_err", evaluation.star_loc_err);
  put("star_loc_err_without_blacklist", evaluation.star_loc_err_listed);
  put("corloc", evaluation.corloc);
  if (evaluation.max_box_acc_at.size() == 3)
    json["max_box_acc_at"] = {{"0.3", evaluation.max_box_acc_at[0]},
                              {"0.5", evaluation.max_box_acc_at[1]},
                              {"0.7", evaluation.max_box_acc_at[2]}};
  else
    json["max_box_acc_at"] = nullptr;
  json["best_threshold"] = evaluation.best_tau ? Json(rounded_threshold(*evaluation.best_tau)) : Json();
  put("pxap", evaluation.pxap);
  json["errors"] = errors_of(evaluation);
  if (evaluation.intervals) json["intervals"] = intervals_of(*evaluation.intervals);
  return json.dump(indent);
}

}  // namespace acol
