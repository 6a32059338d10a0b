// acol bench score: maps per second of acol score's MaxBoxAcc, and whether its memory stays flat.
#include <unistd.h>

#include <chrono>
#include <cmath>

#include "acol/evaluate/score_maps.h"
#include "acol/report/npy.h"
#include "bench.h"
#include "interrupt.h"
#include "progress.h"
#include "tensor/check.h"
#include "tensor/random.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

constexpr int different_maps = 64;  // all others are links to these files

// A new folder under the system's for temporary files, removed at the end.
class WorkFolder {
 public:
  WorkFolder() : path_(fs::temp_directory_path() / ("acol-bench-score-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
  }
  ~WorkFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Like a network's: up to three hills and some unrest on 28 x 28, resized; or noise in every pixel, which has thousands
// of contours at each threshold.
ScoreMap synthetic_map(int number, int side, bool noise) {
  RandomStream random(1, Purpose::test, static_cast<std::uint32_t>(number), noise ? 1 : 0);
  const int coarse = noise ? side : 28;
  ScoreMap map{coarse, coarse,
               std::vector<double>(static_cast<std::size_t>(coarse) * static_cast<std::size_t>(coarse))};
  for (double& value : map.values) value = random.uniform(0.0f, noise ? 1.0f : 0.08f);
  for (int hill = noise ? 3 : number % 3; hill < 3; ++hill) {
    const float x = random.uniform(5, 23), y = random.uniform(5, 23), width = random.uniform(2, 6),
                height = random.uniform(0.4f, 1);
    for (int v = 0; v < coarse; ++v)
      for (int u = 0; u < coarse; ++u) {
        const float distance = (static_cast<float>(u) - x) * (static_cast<float>(u) - x) +
                               (static_cast<float>(v) - y) * (static_cast<float>(v) - y);
        map.values[static_cast<std::size_t>(v * coarse + u)] += height * std::exp(-distance / (2 * width * width));
      }
  }
  ScoreMap out = resized(map, side, side, Interpolation::bicubic);
  min_max_normalise(out);
  return out;
}

// `count` pictures that exist as maps only.
Dataset make_set(const fs::path& folder, int count, int side, bool noise) {
  for (int i = 0; i < std::min(count, different_maps); ++i)
    write_npy(folder / (std::to_string(i) + ".npy"), synthetic_map(i, side, noise));
  Dataset data;
  data.root = folder;
  data.class_ids = data.class_names = {"none"};
  for (int i = 0; i < count; ++i) {
    stop_if_interrupted();
    Sample sample;
    sample.id = std::to_string(i);
    sample.width = sample.height = side;
    const int from = i * 37 % (side / 2 + 1);
    sample.boxes = {{from, side / 4, from + side / 2 - 1, side - 1}};
    data.samples.push_back(std::move(sample));
    if (i >= different_maps)
      fs::create_hard_link(folder / (std::to_string(i % different_maps) + ".npy"),
                           folder / (std::to_string(i) + ".npy"));
  }
  return data;
}

// Milliseconds a map.
double timed(const Dataset& data, const fs::path& folder, int side, const std::string& name) {
  ScoreOptions options;
  options.maps = folder.string();
  options.side = side;
  options.stop_requested = interrupted;
  Progress progress(name);
  options.progress = progress.callback();
  const auto start = std::chrono::steady_clock::now();
  score_maps(data, options);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  return elapsed.count() / static_cast<double>(data.samples.size());
}

}  // namespace

BenchReport bench_score(const BenchOptions& options) {
  BenchReport report;
  const auto measure = [&](const std::string& kind, int count) {
    const WorkFolder folder;
    const Dataset data = make_set(folder.path(), count, options.size, kind == "noise");
    std::vector<double> ms;
    for (int i = 0; i < options.repeats; ++i) {
      stop_if_interrupted();
      ms.push_back(timed(data, folder.path(), options.size, message("score, ", count, " maps of ", kind)));
    }
    BenchRow row{.what = "score", .layer = kind, .remark = message(count, " maps")};
    row.ms = times_of(std::move(ms));
    row.peak_rss_mb = peak_rss_mb();
    report.lines.push_back(message(kind, ", ", count, " maps: ", fixed_text(1000 / row.ms->median, 1), " maps/s"));
    report.rows.push_back(row);
  };
  measure("smooth", std::max(1, options.maps / 10));  // the peak of this and of all shows whether memory grows
  measure("smooth", options.maps);
  measure("noise", std::max(1, options.maps / 100));
  return report;
}

}  // namespace acol
