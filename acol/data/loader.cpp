#include "acol/data/loader.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <numeric>
#include <set>
#include <thread>
#include <utility>

#include "tensor/check.h"
#include "tensor/random.h"

namespace acol {

namespace {

// A picture between decoding and cutting, which is what is worth keeping: the steps up to here draw nothing.
struct Prepared {
  Image image;  // training: resize_for; test: resize_for_test
  Size stored;
  Image crop_source{};  // empty: not asked for
};

struct Failure {
  int sample;
  std::string warning;
};

// What a worker hands over.
struct Result {
  Batch batch;
  std::vector<Failure> failures;
  std::exception_ptr error;  // anything but an unreadable picture
};

std::vector<int> epoch_order(std::size_t samples, const LoaderOptions& options, int epoch) {
  std::vector<int> order(samples);
  std::iota(order.begin(), order.end(), 0);
  if (!options.training) return order;
  RandomStream random(options.seed, Purpose::shuffle, static_cast<std::uint32_t>(epoch));
  for (std::size_t i = samples; i > 1; --i)  // Fisher-Yates: the last place takes any of those not yet placed
    std::swap(order[i - 1], order[static_cast<std::size_t>(random.below(static_cast<int>(i)))]);
  return order;
}

}  // namespace

struct Loader::State {
  State(const Dataset& data, LoaderOptions chosen)
      : dataset(data), options(std::move(chosen)), cache(data.samples.size()) {}
  ~State() { stop(); }

  const Dataset dataset;  // a copy: a list of names is small, and nobody has to keep the other one alive
  const LoaderOptions options;

  // The epoch under way. Written only while no worker runs.
  std::vector<int> order;
  int epoch = -1;

  std::mutex mutex;  // guards the rest of this block
  std::condition_variable work, ready;
  std::map<int, Result> results;
  int claimed = 0;    // the next batch that a worker takes
  int delivered = 0;  // the next batch that next() gives
  std::atomic<bool> stopping = false;

  std::vector<std::thread> threads;

  std::mutex cache_mutex;
  std::vector<std::shared_ptr<const Prepared>> cache;
  std::int64_t cached_bytes = 0;

  std::set<int> broken;  // samples; only next() and its kin touch these two
  std::vector<std::string> warnings;

  int batches() const {
    const auto size = static_cast<std::size_t>(options.batch_size);
    return static_cast<int>((dataset.samples.size() + size - 1) / size);
  }

  std::shared_ptr<const Prepared> prepare(int sample) {
    const auto at = static_cast<std::size_t>(sample);
    {
      const std::lock_guard lock(cache_mutex);
      if (cache[at]) return cache[at];
    }
    const Image image = read_image(dataset.path(dataset.samples[at]), {.apply_exif = dataset.apply_exif});
    Prepared made{
        options.training ? resize_for(image, options.how) : resize_for_test(image, options.how, options.input),
        {image.width, image.height}};
    if (!options.training && options.crop_source)
      made.crop_source = resize_for_test(image, options.how, *options.crop_source);
    const auto bytes = static_cast<std::int64_t>(made.image.rgb.size() + made.crop_source.rgb.size());
    const auto prepared = std::make_shared<const Prepared>(std::move(made));
    const std::lock_guard lock(cache_mutex);
    if (!cache[at] && cached_bytes + bytes <= options.cache_bytes) {
      cache[at] = prepared;
      cached_bytes += bytes;
    }
    return prepared;
  }

  // `path: reason`
  std::string warning(int sample, const std::string& error) const {
    const std::filesystem::path path = dataset.path(dataset.samples[static_cast<std::size_t>(sample)]);
    return path.string() + ": " + reason_of(error, path);
  }

  // The network's input, where the device in use wants it.
  Tensor input_of(const std::vector<std::shared_ptr<const Prepared>>& pictures, const std::vector<int>& samples) const {
    const int side = options.how.crop;
    const std::size_t numbers = std::size_t{3} * static_cast<std::size_t>(side) * static_cast<std::size_t>(side);
    const DeviceMemory* const device = device_memory();
    Tensor images = Tensor::empty({static_cast<int>(pictures.size()), side, side, 3});
    std::vector<std::uint8_t> bytes(device != nullptr ? pictures.size() * numbers : 0);
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      const Image& image = pictures[i]->image;
      const CropPlace place = options.training ? train_crop_place(image, options.how, options.seed, epoch, samples[i])
                                               : centre_crop(image.width, image.height, side);
      if (device != nullptr)
        cut(image, side, place, bytes.data() + i * numbers);
      else
        normalise(image, options.how, place.x, place.y, place.mirror, images.f32() + i * numbers);
    }
    if (device != nullptr)
      device->upload_pictures(images.data<float>(), bytes.data(), static_cast<std::int64_t>(bytes.size() / 3),
                              options.how.mean.data(), options.how.std.data());
    return images;
  }

  Result make(int number) {
    Result result;
    try {
      const std::size_t begin = static_cast<std::size_t>(number) * static_cast<std::size_t>(options.batch_size);
      const std::size_t end = std::min(begin + static_cast<std::size_t>(options.batch_size), order.size());
      std::vector<std::shared_ptr<const Prepared>> pictures;
      for (std::size_t i = begin; i < end && !stopping; ++i) {
        try {
          pictures.push_back(prepare(order[i]));
        } catch (const Error& error) {
          result.failures.push_back({order[i], warning(order[i], error.what())});
          continue;
        }
        result.batch.samples.push_back(order[i]);
        result.batch.labels.push_back(dataset.samples[static_cast<std::size_t>(order[i])].label);
        result.batch.sizes.push_back(pictures.back()->stored);
      }
      if (pictures.empty()) return result;

      result.batch.images = input_of(pictures, result.batch.samples);
      if (!options.training && options.crop_source)
        for (const auto& picture : pictures) result.batch.crop_sources.push_back(picture->crop_source);
    } catch (...) {
      result.error = std::current_exception();
    }
    return result;
  }

  void run_worker() {
    std::unique_lock lock(mutex);
    while (true) {
      // So that memory is bounded: no further ahead of next() than a batch a worker and two in reserve.
      work.wait(lock, [&] { return stopping || claimed >= batches() || claimed < delivered + options.workers + 2; });
      if (stopping || claimed >= batches()) return;
      const int number = claimed++;
      lock.unlock();
      Result result = make(number);
      lock.lock();
      results.emplace(number, std::move(result));
      ready.notify_all();
    }
  }

  void stop() {
    {
      const std::lock_guard lock(mutex);
      stopping = true;
    }
    work.notify_all();
    for (std::thread& thread : threads) thread.join();
    threads.clear();
    results.clear();
    stopping = false;
  }

  void start(int new_epoch, int first_batch) {
    stop();
    epoch = new_epoch;
    order = epoch_order(dataset.samples.size(), options, epoch);
    claimed = delivered = first_batch;
    for (int i = 0; i < options.workers; ++i) threads.emplace_back([this] { run_worker(); });
  }

  Result take() {
    if (options.workers == 0) return make(delivered++);
    std::unique_lock lock(mutex);
    ready.wait(lock, [&] { return results.count(delivered) > 0; });
    Result result = std::move(results.extract(delivered++).mapped());
    lock.unlock();
    work.notify_all();
    return result;
  }
};

Loader::Loader(const Dataset& dataset, LoaderOptions options) {
  check(!dataset.samples.empty(), "loader: data set ", dataset.root.string(), " has no samples");
  check(options.batch_size >= 1, "loader: batch size must be at least 1, got ", options.batch_size);
  check(options.workers >= 0 && options.workers <= 256, "loader: workers must be in 0..256, got ", options.workers);
  check(options.cache_bytes >= 0, "loader: cache must be 0 bytes or more, got ", options.cache_bytes);
  validate(options.how);
  state_ = std::make_unique<State>(dataset, std::move(options));
}

Loader::~Loader() = default;

int Loader::batches() const { return state_->batches(); }

void Loader::start_epoch(int epoch, int first_batch) {
  check(epoch >= 0, "loader: epoch must not be negative, got ", epoch);
  check(first_batch >= 0 && first_batch <= batches(), "loader: first batch ", first_batch, " is not in 0..", batches());
  state_->start(epoch, first_batch);
}

bool Loader::next(Batch& batch) {
  check(state_->epoch >= 0, "loader: start_epoch comes before next");
  if (state_->delivered >= batches()) return false;
  Result result = state_->take();
  for (Failure& failure : result.failures)
    if (state_->broken.insert(failure.sample).second) state_->warnings.push_back(std::move(failure.warning));
  if (result.error) std::rethrow_exception(result.error);
  batch = std::move(result.batch);
  return true;
}

std::int64_t Loader::skipped() const { return static_cast<std::int64_t>(state_->broken.size()); }

std::vector<std::string> Loader::take_warnings() { return std::exchange(state_->warnings, {}); }

}  // namespace acol
