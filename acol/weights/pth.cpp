#include "acol/weights/pth.h"

#include <minizip/unzip.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>
#include <optional>

#include "tensor/cpu/parallel.h"
#include "tensor/safetensors_header.h"  // shown()
#include "tensor/stored_numbers.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t extra_limit = 16 << 20;
constexpr std::uint64_t entry_limit = 100'000;  // files in an archive

// The magic number as Python's LONG1 has it, and in digits (protocol 1).
constexpr std::string_view magic_bytes("\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 10);
constexpr std::string_view magic_digits = "119547037146038801333356";

bool starts_with(const InputFile& file, std::uint64_t offset, std::string_view wanted) {
  std::string begin(wanted.size(), '\0');
  return file.read(offset, begin.data(), begin.size()) && begin == wanted;
}

bool is_tar(const InputFile& file) { return starts_with(file, 257, "ustar"); }

// Whether a zip archive's last record is there, and ends where the file does. minizip is content with less.
bool ends_as_zip(const InputFile& file) {
  constexpr std::uint64_t record = 22, longest_comment = 0xFFFF;
  std::string tail(static_cast<std::size_t>(std::min(file.size(), record + longest_comment)), '\0');
  if (!file.read(file.size() - tail.size(), tail.data(), tail.size())) return false;
  const auto byte = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(tail[at])); };
  for (std::size_t at = tail.rfind("PK\5\6"); at != std::string::npos; at = tail.rfind("PK\5\6", at - 1)) {
    if (at + record <= tail.size() && at + record + byte(at + 20) + 256 * byte(at + 21) == tail.size()) return true;
    if (at == 0) break;
  }
  return false;
}

// Entries of an archive, by name. Those that are packed have no place.
struct Entry {
  std::uint64_t begin = 0, bytes = 0;
  bool stored = false;
};

std::map<std::string, Entry> archive_entries(const fs::path& path, const InputFile& in) {
  const std::string file = path.string();
  const std::uint64_t size = in.size();
  const auto broken = [&] { fail(file, ": a damaged or cut off zip archive; fetch or save the file again"); };
  const std::unique_ptr<void, int (*)(void*)> zip(unzOpen64(file.c_str()), unzClose);
  if (!zip || !ends_as_zip(in)) broken();
  std::map<std::string, Entry> entries;
  for (int status = unzGoToFirstFile(zip.get()); status != UNZ_END_OF_LIST_OF_FILE;
       status = unzGoToNextFile(zip.get())) {
    unz_file_info64 info{};
    char name[512] = {};
    if (status != UNZ_OK ||
        unzGetCurrentFileInfo64(zip.get(), &info, name, sizeof name - 1, nullptr, 0, nullptr, 0) != UNZ_OK ||
        info.size_filename >= sizeof name)
      broken();
    Entry entry;
    entry.bytes = info.uncompressed_size;
    entry.stored = info.compression_method == 0 && (info.flag & 1) == 0;
    if (entry.stored) {
      int method = 0, level = 0;
      if (unzOpenCurrentFile2(zip.get(), &method, &level, 1) != UNZ_OK) broken();
      entry.begin = unzGetCurrentFileZStreamPos64(zip.get());
      unzCloseCurrentFile(zip.get());
      if (info.compressed_size != info.uncompressed_size || entry.begin > size || entry.bytes > size - entry.begin)
        broken();
    }
    check(entries.emplace(name, entry).second, file, ": the archive has ", shown(name), " twice");
    check(entries.size() <= entry_limit, file, ": the archive has more than ", entry_limit, " files");
  }
  return entries;
}

}  // namespace

bool looks_like_pth(const InputFile& file) {
  return starts_with(file, 0, "PK") || starts_with(file, 0, "\x80") || starts_with(file, 0, "L1195470") || is_tar(file);
}

PthReader::PthReader(const fs::path& path) : path_(path), file_(path) {
  check(!is_tar(file_), path.string(),
        ": a tar file, as PyTorch before 0.1.12 wrote them; load and save it once with a later PyTorch");
  check(looks_like_pth(file_), path.string(), ": not a file of torch.save()");
  zip_ = starts_with(file_, 0, "PK");
  if (zip_)
    open_zip();
  else
    open_legacy();
  check_storages();
}

void PthReader::open_zip() {
  const std::string file = path_.string();
  const std::map<std::string, Entry> entries = archive_entries(path_, file_);
  std::string root;  // with its slash
  bool found = false;
  for (const auto& [name, entry] : entries) {
    if (name != "data.pkl" && !name.ends_with("/data.pkl")) continue;
    check(!found, file, ": the archive has several data.pkl");
    found = true;
    root = name.substr(0, name.size() - std::strlen("data.pkl"));
  }
  check(found, file, ": a zip archive, but not one of torch.save(): it has no data.pkl");
  check(!entries.contains(root + "constants.pkl"), file,
        ": a TorchScript program; save the state_dict() of the module instead");
  for (const auto& [name, entry] : entries) {
    if (!name.starts_with(root)) continue;
    check(entry.stored, file, ": ", shown(name), " is compressed, which torch.save() does not do; save it again");
    const std::string inner = name.substr(root.size());
    if (inner.starts_with("data/"))
      storages_[inner.substr(5)] = {entry.begin, entry.bytes};
    else
      extras_[inner] = {entry.begin, entry.bytes};
  }
  const std::string order = extra("byteorder");
  check(order.empty() || order == "little", file, ": its numbers are big endian (byteorder is ", shown(order),
        "), only little endian is read");
  const Record& data = extras_.at("data.pkl");
  PickleInput in(file_, data.begin, data.begin + data.bytes);
  object_ = std::make_unique<Pickle>(in, file);
}

void PthReader::open_legacy() {
  const std::string file = path_.string();
  PickleInput in(file_, 0, file_.size());
  {
    const Pickle magic(in, file);
    const PickleValue& value = magic.root();
    check(value.kind == PickleValue::Kind::big_integer && (value.text == magic_bytes || value.text == magic_digits),
          file, ": a pickle, but not one of torch.save()");
    const Pickle version(in, file);
    check(version.root().kind == PickleValue::Kind::integer && version.root().integer == 1001, file,
          ": of an unknown version of PyTorch's format, 1001 is read");
    const Pickle machine(in, file);
    const PickleValue* little = machine.root().find("little_endian");
    check(little != nullptr && little->kind == PickleValue::Kind::boolean, file,
          ": does not say whether its numbers are little endian");
    check(little->integer == 1, file, ": its numbers are big endian, only little endian is read");
  }
  object_ = std::make_unique<Pickle>(in, file);
  const Pickle keys(in, file);
  check(keys.root().kind == PickleValue::Kind::list, file, ": the list of its storages is missing");
  std::map<std::string, const PickleStorage*> wanted;
  for (const PickleStorage& storage : object_->storages()) wanted[storage.key] = &storage;
  std::uint64_t at = in.position();
  for (const PickleValue* key : keys.root().items) {
    const auto entry = wanted.find(key->text);
    check(key->kind == PickleValue::Kind::text && entry != wanted.end() && !storages_.contains(key->text), file,
          ": its list of storages does not fit the tensors");
    std::int64_t count = 0;
    check(file_.read(at, &count, sizeof count), file, ": ends before storage ", shown(key->text), "; it is cut off");
    check(count == entry->second->count, file, ": storage ", shown(key->text), " has ", count, " numbers, its tensors ",
          "claim ", entry->second->count);
    at += sizeof count;
    const std::uint64_t bytes =
        static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(bytes_of_dtype(entry->second->dtype));
    check(bytes <= file_.size() - at, file, ": ends inside storage ", shown(key->text), "; it is cut off");
    storages_[key->text] = {at, bytes};
    at += bytes;
  }
}

void PthReader::check_storages() const {
  for (const PickleStorage& storage : object_->storages()) {
    const auto found = storages_.find(storage.key);
    check(found != storages_.end(), path_.string(), ": the numbers of storage ", shown(storage.key), " are missing");
    const auto bytes = static_cast<std::uint64_t>(storage.count) *
                       static_cast<std::uint64_t>(bytes_of_dtype(storage.dtype));  // no overflow: count was checked
    check(bytes <= found->second.bytes, path_.string(), ": storage ", shown(storage.key), " has ", found->second.bytes,
          " bytes, its tensors claim ", bytes);
  }
}

const PthReader::Record& PthReader::record(const PickleStorage& storage) const { return storages_.at(storage.key); }

std::string PthReader::extra(const std::string& name) const {
  const auto found = extras_.find(name);
  if (found == extras_.end() || found->second.bytes > extra_limit) return "";
  std::string text(static_cast<std::size_t>(found->second.bytes), '\0');
  check(file_.read(found->second.begin, text.data(), text.size()), path_.string(), ": reading ", name, " failed");
  return text;
}

namespace {

// A tensor's axes in the order in which they are written out; `offset` in numbers.
struct Walk {
  std::vector<std::int64_t> extents, strides;

  // Numbers from the first to the last that axes from `first` on touch.
  std::int64_t span(std::size_t first) const {
    std::int64_t last = 0;
    for (std::size_t i = first; i < extents.size(); ++i) last += (extents[i] - 1) * strides[i];
    return last + 1;
  }
  std::int64_t count(std::size_t first) const {
    std::int64_t product = 1;
    for (std::size_t i = first; i < extents.size(); ++i) product *= extents[i];
    return product;
  }
};

template <class From, class To>
To* gather(const Walk& walk, std::size_t axis, const From* from, To* to) {
  if (axis == walk.extents.size()) {
    *to = static_cast<To>(widened(*from));
    return to + 1;
  }
  const std::int64_t extent = walk.extents[axis], stride = walk.strides[axis];
  if (axis + 1 == walk.extents.size()) {
    for (std::int64_t i = 0; i < extent; ++i) to[i] = static_cast<To>(widened(from[i * stride]));
    return to + extent;
  }
  for (std::int64_t i = 0; i < extent; ++i) to = gather(walk, axis + 1, from + i * stride, to);
  return to;
}

}  // namespace

void PthReader::read(const PickleTensor& tensor, const std::vector<int>& axes, const std::string& name,
                     Tensor& to) const {
  const std::int64_t elements = tensor.elements();
  check(is_read(tensor.storage.dtype), path_.string(), ": tensor ", shown(name), " of type ", tensor.storage.dtype,
        " cannot be read");
  check(axes.size() == tensor.shape.size() && to.count() == elements, path_.string(), ": tensor ", shown(name), " has ",
        elements, " numbers, wanted are ", to.count());
  if (elements == 0) return;
  if (!to.on_host()) return to.write_on_host([&](Tensor& host) { read(tensor, axes, name, host); });
  Walk walk;
  for (const int axis : axes) {
    walk.extents.push_back(tensor.shape[static_cast<std::size_t>(axis)]);
    walk.strides.push_back(tensor.strides[static_cast<std::size_t>(axis)]);
  }
  if (walk.extents.empty()) {  // a scalar
    walk.extents = {1};
    walk.strides = {1};
  }
  // One piece for each index of the first axis, unless their numbers lie between one another.
  const bool interleaved = walk.span(1) > 4 * walk.count(1);
  const std::int64_t pieces = interleaved ? 1 : walk.extents[0], piece_span = interleaved ? walk.span(0) : walk.span(1);
  const std::int64_t piece_count = interleaved ? elements : walk.count(1);
  const std::size_t first_axis = interleaved ? 0 : 1;

  const std::uint64_t start = record(tensor.storage).begin;
  const std::int64_t first = tensor.storage.offset + tensor.offset;
  std::atomic<bool> done = true;
  with_stored(tensor.storage.dtype, [&]<class From>() {
    with_scalar(to.dtype(), [&]<class To>() {
      To* const target = to.data<To>();
      // No exception may leave a thread. Pieces of 64 KiB: more than a system call costs, less than a cache.
      const std::int64_t grain =
          std::max<std::int64_t>(1, (std::int64_t{64} << 10) / (piece_span * static_cast<std::int64_t>(sizeof(From))));
      parallel_chunks(pieces, grain, [&](std::int64_t begin, std::int64_t end) {
        // The pieces of a chunk are read one by one where there are gaps between them, else together.
        const bool together = !interleaved && walk.strides[0] <= 2 * piece_span;
        const std::int64_t batch = together ? end - begin : 1;
        const std::int64_t numbers = (batch - 1) * walk.strides[0] + piece_span;
        const std::unique_ptr<From[]> buffer(new (std::nothrow) From[static_cast<std::size_t>(numbers)]);
        if (!buffer) {
          done = false;
          return;
        }
        for (std::int64_t i = begin; i < end; i += batch) {
          const auto at = static_cast<std::uint64_t>(first + i * walk.strides[0]) * sizeof(From);
          if (!file_.read(start + at, buffer.get(), static_cast<std::size_t>(numbers) * sizeof(From))) {
            done = false;
            return;
          }
          for (std::int64_t k = 0; k < batch; ++k)
            gather(walk, first_axis, buffer.get() + k * walk.strides[0], target + (i + k) * piece_count);
        }
      });
    });
  });
  check(done, path_.string(), ": reading tensor ", shown(name),
        " failed; the file was cut off meanwhile, or memory is short");
}

}  // namespace acol
