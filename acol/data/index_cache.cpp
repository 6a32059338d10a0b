#include "acol/data/index_cache.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <system_error>

#include "acol/data/listing.h"
#include "tensor/check.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// To be raised when the form of the file changes, or when a reader gives another list for the same files.
constexpr char magic[] = "acol index 2\n";

std::uint64_t hash_of(std::string_view bytes) {  // FNV-1a: against damage, not against malice
  std::uint64_t hash = 14695981039346656037u;
  for (const char byte : bytes) hash = (hash ^ static_cast<unsigned char>(byte)) * 1099511628211u;
  return hash;
}

std::string hash_text(std::string_view bytes) {
  std::string text;
  for (std::uint64_t hash = hash_of(bytes), i = 0; i < 8; ++i, hash >>= 8) text += static_cast<char>(hash);
  return text;
}

struct State {
  std::uint64_t inode = 0, size = 0;
  std::int64_t changed = 0, touched = 0;  // of the content, of the inode; nanoseconds. All 0: there is no such file
  friend bool operator==(const State&, const State&) = default;
};

State state_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  const auto nanoseconds = [](const timespec& time) {
    return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
  };
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size), nanoseconds(status.st_mtim),
          nanoseconds(status.st_ctim)};
}

using Watched = std::vector<std::pair<std::string, State>>;

// Folders can be linked in circles.
constexpr int max_depth = 12;

void watch_folder(Watched& watched, const fs::path& folder, int depth) {
  watched.emplace_back(folder.string(), state_of(folder));
  std::vector<fs::path> below;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    if (entry->path().filename().string().front() == '.') continue;  // readers pass over them
    std::error_code dangling;
    if (entry->is_directory(dangling)) {
      below.push_back(entry->path());
    } else if (!is_picture_name(entry->path())) {
      watched.emplace_back(entry->path().string(), state_of(entry->path()));
    }
  }
  if (depth > 0)
    for (const fs::path& one : below) watch_folder(watched, one, depth - 1);
}

Watched watch(const IndexSources& sources) {
  Watched watched;
  for (const fs::path& tree : sources.trees) watch_folder(watched, tree, max_depth);
  for (const fs::path& place : sources.places) watch_folder(watched, place, 0);
  return watched;
}

class Writer {
 public:
  // Seven bits a byte, low ones first; the top bit says that more follow.
  void number(std::uint64_t value) {
    for (; value >= 128; value >>= 7) bytes_ += static_cast<char>(value | 128);
    bytes_ += static_cast<char>(value);
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  template <class Values, class Write>
  void list(const Values& values, Write write) {
    number(values.size());
    for (const auto& value : values) write(value);
  }
  void texts(const std::vector<std::string>& values) {
    list(values, [&](const std::string& value) { text(value); });
  }
  const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

// Throws on a damaged file, whatever is in it.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : bytes_(bytes) {}
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1).front());
      value |= std::uint64_t{byte & 127u} << shift;
      if (byte < 128) return value;
    }
    fail("index: not a number");
  }
  std::string text() { return std::string(take(number())); }
  int whole() { return static_cast<int>(static_cast<std::int64_t>(number())); }
  template <class Read>
  void list(Read read) {
    const std::uint64_t count = number();
    for (std::uint64_t i = 0; i < count; ++i) read();  // each takes bytes, so a wild count ends soon
  }
  std::vector<std::string> texts() {
    std::vector<std::string> values;
    list([&] { values.push_back(text()); });
    return values;
  }

 private:
  std::string_view take(std::uint64_t count) {
    check(count <= bytes_.size() - at_, "index: cut short");
    at_ += static_cast<std::size_t>(count);
    return bytes_.substr(at_ - static_cast<std::size_t>(count), static_cast<std::size_t>(count));
  }
  std::string_view bytes_;
  std::size_t at_ = 0;
};

std::uint64_t wrapped(int value) { return static_cast<std::uint64_t>(std::int64_t{value}); }

void write_dataset(Writer& out, const Dataset& data) {
  out.text(data.layout);
  out.text(data.root.string());
  out.text(data.mask_root.string());
  out.text(data.split);
  out.texts(data.class_ids);
  out.texts(data.class_names);
  out.texts(data.notes);
  out.number(data.cut_boxes ? 1 : 0);
  out.number(data.apply_exif ? 1 : 0);
  std::string_view before;  // neighbours' ids begin alike
  out.list(data.samples, [&](const Sample& sample) {
    const std::size_t alike = static_cast<std::size_t>(
        std::mismatch(before.begin(), before.end(), sample.id.begin(), sample.id.end()).first - before.begin());
    out.number(alike);
    out.text(std::string_view(sample.id).substr(alike));
    before = sample.id;
    out.number(wrapped(sample.label));
    out.list(sample.boxes, [&](const Box& box) {
      for (const int corner : {box.x0, box.y0, box.x1, box.y1}) out.number(wrapped(corner));
    });
    out.texts(sample.masks);
    out.text(sample.ignore_mask);
    out.number(wrapped(sample.width));
    out.number(wrapped(sample.height));
    out.number(sample.blacklisted ? 1 : 0);
  });
}

Dataset read_dataset(Reader& in) {
  Dataset data;
  data.layout = in.text();
  data.root = in.text();
  data.mask_root = in.text();
  data.split = in.text();
  data.class_ids = in.texts();
  data.class_names = in.texts();
  data.notes = in.texts();
  data.cut_boxes = in.number() != 0;
  data.apply_exif = in.number() != 0;
  in.list([&] {
    Sample sample;
    const std::uint64_t alike = in.number();
    check(alike <= (data.samples.empty() ? 0 : data.samples.back().id.size()), "index: damaged");
    if (alike > 0) sample.id = data.samples.back().id.substr(0, static_cast<std::size_t>(alike));
    sample.id += in.text();
    sample.label = in.whole();
    in.list([&] {
      Box box;
      for (int* corner : {&box.x0, &box.y0, &box.x1, &box.y1}) *corner = in.whole();
      sample.boxes.push_back(box);
    });
    sample.masks = in.texts();
    sample.ignore_mask = in.text();
    sample.width = in.whole();
    sample.height = in.whole();
    sample.blacklisted = in.number() != 0;
    data.samples.push_back(std::move(sample));
  });
  return data;
}

std::optional<Dataset> read_index(const fs::path& file, const std::string& key) {
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  try {
    const std::string bytes = read_file(file);
    const std::string_view whole = bytes;
    constexpr std::size_t head = sizeof magic - 1;
    if (whole.size() < head + 8 || whole.substr(0, head) != magic) return std::nullopt;
    const std::string_view body = whole.substr(head, whole.size() - head - 8);
    if (whole.substr(whole.size() - 8) != hash_text(body)) return std::nullopt;
    Reader in(body);
    if (in.text() != key) return std::nullopt;
    bool as_it_was = true;
    in.list([&] {
      const std::string path = in.text();
      State state;
      state.inode = in.number();
      state.size = in.number();
      state.changed = static_cast<std::int64_t>(in.number());
      state.touched = static_cast<std::int64_t>(in.number());
      as_it_was = as_it_was && state_of(path) == state;
    });
    if (as_it_was) return read_dataset(in);
  } catch (const std::exception&) {  // damaged, or not to be read: as if there were none
  }
  return std::nullopt;
}

void write_index(const fs::path& file, const std::string& key, const Watched& watched, const Dataset& data) {
  Writer out;
  out.text(key);
  out.list(watched, [&](const auto& one) {
    out.text(one.first);
    for (const std::uint64_t value : {one.second.inode, one.second.size, static_cast<std::uint64_t>(one.second.changed),
                                      static_cast<std::uint64_t>(one.second.touched)})
      out.number(value);
  });
  write_dataset(out, data);
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  try {
    write_file_atomically(file, [&](std::ostream& to) { to << magic << out.bytes() << hash_text(out.bytes()); });
  } catch (const Error&) {  // no room, no right: the next run reads the data set as this one did
  }
}

}  // namespace

IndexCache IndexCache::from_environment() {
  const auto variable = [](const char* name) -> std::string {
    const char* value = std::getenv(name);
    return value == nullptr ? "" : value;
  };
  IndexCache cache;
  if (const std::string own = variable("ACOL_CACHE"); !own.empty()) {
    if (own != "off") cache.folder = own;
  } else if (const std::string xdg = variable("XDG_CACHE_HOME"); !xdg.empty()) {
    cache.folder = fs::path(xdg) / "acol";
  } else if (const std::string home = variable("HOME"); !home.empty()) {
    cache.folder = fs::path(home) / ".cache" / "acol";
  }
  return cache;
}

Dataset cached_index(const IndexCache& cache, const std::string& layout, const fs::path& root, const std::string& split,
                     const IndexSources& sources, const std::function<Dataset()>& open, bool* from_cache) {
  if (from_cache != nullptr) *from_cache = false;
  if (cache.folder.empty()) return open();
  // The root as given too: it is part of the list, and of the paths in its notes.
  const std::string key = message(layout, "\n", split, "\n", root.string(), "\n", fs::weakly_canonical(root).string());
  char name[32];
  std::snprintf(name, sizeof name, "%016llx.index", static_cast<unsigned long long>(hash_of(key)));
  const fs::path file = cache.folder / name;
  if (std::optional<Dataset> kept = read_index(file, key)) {
    if (from_cache != nullptr) *from_cache = true;
    return *std::move(kept);
  }

  const auto start = std::chrono::system_clock::now().time_since_epoch();
  Dataset data = open();
  if (data.samples.size() < cache.min_samples) return data;
  const Watched watched = watch(sources);
  // What changed while it was read, or just before, may not be in the list. Times of content can be set back by hand,
  // those of inodes cannot.
  const auto settled = std::chrono::duration_cast<std::chrono::nanoseconds>(start).count() -
                       static_cast<std::int64_t>(cache.settle_seconds * 1e9);
  const bool quiet =
      std::all_of(watched.begin(), watched.end(), [&](const auto& one) { return one.second.touched < settled; });
  if (quiet) write_index(file, key, watched, data);
  return data;
}

}  // namespace acol
