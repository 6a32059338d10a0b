#include "bench_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "plain_table.h"
#include "tensor/file.h"
#include "tensor/simd/level.h"
#include "tensor/threads.h"

namespace acol {

namespace {

using Json = nlohmann::ordered_json;

std::string cell(const std::optional<double>& value, int digits) { return value ? fixed_text(*value, digits) : ""; }

// Milliseconds with four digits that mean something.
std::string time_text(double ms) { return fixed_text(ms, ms < 10 ? 3 : ms < 100 ? 2 : 1); }

TableRow cells(const BenchRow& row) {
  const auto time = [&](double BenchTimes::*part) { return row.ms ? time_text((*row.ms).*part) : ""; };
  return {row.what,
          row.layer,
          row.remark,
          row.batch ? std::to_string(*row.batch) : "",
          time(&BenchTimes::median),
          time(&BenchTimes::min),
          time(&BenchTimes::max),
          cell(row.gflops, 1),
          row.share_of_peak ? fixed_text(100 * *row.share_of_peak, 1) + " %" : "",
          cell(row.peak_rss_mb, 0)};
}

const TableRow titles{"what", "layer", "", "batch", "ms median", "min", "max", "GFLOP/s", "of peak", "peak MB"};
constexpr std::size_t text_columns = 3;  // those at the left; the others hold numbers

Json shape_json(const BenchConv& conv) {
  const Conv2dGeometry& g = conv.geometry;
  return {{"in_h", g.in_h},       {"in_w", g.in_w},       {"in_c", g.in_c}, {"out_c", g.out_c},
          {"filter", g.filter_h}, {"stride", g.stride_h}, {"pad", g.pad_h}, {"dilation", g.dilation_h},
          {"relu", conv.relu},    {"uses", conv.uses}};
}

}  // namespace

void print_bench(std::ostream& out, const BenchReport& report) {
  if (const DeviceMemory* device = device_memory())
    out << device->describe() << ", " << name_of(precision_in_use()) << "; ";
  out << cpu_name() << ", " << simd_name(simd_in_use()) << ", " << threads_in_use()
      << (threads_in_use() == 1 ? " thread\n\n" : " threads\n\n");
  std::vector<TableRow> all;
  for (const BenchRow& row : report.rows) all.push_back(cells(row));
  std::vector<TableRow> table(1 + all.size());  // without the columns that nothing is in
  std::size_t texts = 0;
  for (std::size_t column = 0; column < titles.size(); ++column) {
    if (std::all_of(all.begin(), all.end(), [&](const TableRow& row) { return row[column].empty(); })) continue;
    table[0].push_back(titles[column]);
    for (std::size_t i = 0; i < all.size(); ++i) table[1 + i].push_back(all[i][column]);
    texts += column < text_columns;
  }
  out << plain_table(table, {.first = texts});
  if (!report.lines.empty()) out << "\n";
  for (const std::string& line : report.lines) out << line << "\n";
}

void write_bench_json(const std::filesystem::path& path, const BenchReport& report) {
  const auto or_null = [](const auto& value) { return value ? Json(*value) : Json(); };
  Json json;
  json["cpu"] = cpu_name();
  json["level"] = simd_name(simd_in_use());
  json["threads"] = threads_in_use();
  if (const DeviceMemory* device = device_memory()) {
    json["device"] = device->describe();
    json["precision"] = name_of(precision_in_use());
  }
  json["rows"] = Json::array();
  for (const BenchRow& row : report.rows) {
    Json entry;
    entry["what"] = row.what;
    entry["layer"] = row.layer.empty() ? Json() : Json(row.layer);
    entry["batch"] = or_null(row.batch);
    entry["ms_median"] = row.ms ? Json(row.ms->median) : Json();
    entry["ms_min"] = row.ms ? Json(row.ms->min) : Json();
    entry["ms_max"] = row.ms ? Json(row.ms->max) : Json();
    entry["gflops"] = or_null(row.gflops);
    entry["share_of_peak"] = or_null(row.share_of_peak);
    entry["peak_rss_mb"] = or_null(row.peak_rss_mb);
    if (row.device) {
      entry["ms"] = row.ms->all;
      entry["device_peak_mb"] = row.device->peak_mb;
      entry["device_held_mb"] = row.device->held_mb;
      entry["launches"] = row.device->launches_a_run;
    }
    if (row.conv) entry["conv"] = shape_json(*row.conv);
    json["rows"].push_back(std::move(entry));
  }
  write_file_atomically(path, json.dump(2) + "\n");
}

}  // namespace acol
