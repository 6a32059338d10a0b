#include "acol/data/inspect.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "acol/data/image.h"
#include "acol/data/listing.h"
#include "acol/data/picture_header.h"
#include "acol/data/published_sizes.h"
#include "acol/data/resize.h"
#include "tensor/check.h"
#include "tensor/cpu/parallel.h"
#include "tensor/file.h"

namespace acol {

namespace fs = std::filesystem;

namespace {

// Findings by kind, in the order in which kinds first occur.
class Findings {
 public:
  void add(bool fatal, const std::string& what, std::string one) {
    const auto [at, is_new] = places_.try_emplace(what, list_.size());
    if (is_new) list_.push_back({fatal, what, {}});
    list_[at->second].cases.push_back(std::move(one));
  }
  std::vector<Finding> take() {
    std::stable_partition(list_.begin(), list_.end(), [](const Finding& finding) { return finding.fatal; });
    return std::move(list_);
  }

 private:
  std::map<std::string, std::size_t> places_;
  std::vector<Finding> list_;
};

std::string text_of(const Box& box) { return message("[", box.x0, " ", box.y0, " ", box.x1, " ", box.y1, "]"); }

// What one picture file is like.
struct Picture {
  PictureInfo info;
  std::string error;  // not to be read: why
  bool missing = false;
  std::size_t bytes = 0, hash = 0;
};

Picture look_at(const fs::path& path, const InspectOptions& options) {
  Picture picture;
  picture.missing = !is_there(path);
  if (picture.missing) return picture;
  try {
    picture.info = picture_info(path);
    if (options.depth != InspectDepth::decode && !options.same_content) return picture;
    const std::string bytes = read_file(path);
    if (options.depth == InspectDepth::decode) decode_image(bytes, path.string());
    picture.bytes = bytes.size();
    picture.hash = std::hash<std::string>{}(bytes);
  } catch (const Error& failure) {
    picture.error = reason_of(failure.what(), path);
  }
  return picture;
}

std::vector<Picture> look_at_all(const std::vector<fs::path>& paths, const InspectOptions& options) {
  std::vector<Picture> pictures(paths.size());
  constexpr std::size_t block = 256;  // between two looks at the clock and at Ctrl-C
  for (std::size_t begin = 0; begin < paths.size(); begin += block) {
    if (options.stop_requested) check(!options.stop_requested(), "inspect: stopped");
    const std::size_t count = std::min(block, paths.size() - begin);
    parallel_chunks(static_cast<std::int64_t>(count), 8, [&](std::int64_t from, std::int64_t to) {
      for (std::int64_t i = from; i < to; ++i) {
        const std::size_t at = begin + static_cast<std::size_t>(i);
        pictures[at] = look_at(paths[at], options);
      }
    });
    if (options.progress)
      options.progress(static_cast<std::int64_t>(begin + count), static_cast<std::int64_t>(paths.size()));
  }
  return pictures;
}

void check_boxes(const Sample& sample, int width, int height, Findings& findings) {
  for (std::size_t i = 0; i < sample.boxes.size(); ++i) {
    const Box& box = sample.boxes[i];
    const std::string one = sample.id + " " + text_of(box);
    if (box.x1 < box.x0 || box.y1 < box.y0) {
      findings.add(true, "boxes with x1 < x0 or y1 < y0", one);
    } else if (box.x1 < 0 || box.y1 < 0 || (width > 0 && (box.x0 >= width || box.y0 >= height))) {
      findings.add(true, "boxes wholly outside their picture", message(one, " of ", width, "x", height));
    } else if (box.x0 < 0 || box.y0 < 0 || (width > 0 && (box.x1 >= width || box.y1 >= height))) {
      findings.add(false, "boxes partly outside their picture", message(one, " of ", width, "x", height));
    }
    if (std::find(sample.boxes.begin(), sample.boxes.begin() + static_cast<std::ptrdiff_t>(i), box) !=
        sample.boxes.begin() + static_cast<std::ptrdiff_t>(i))
      findings.add(false, "boxes given twice for a picture", one);
  }
}

bool name_fits(const std::string& id, const std::string& format) {
  std::string ending = fs::path(id).extension().string();
  for (char& letter : ending) letter = static_cast<char>(std::tolower(static_cast<unsigned char>(letter)));
  if (format == "JPEG") return ending == ".jpg" || ending == ".jpeg";
  if (format == "PNG") return ending == ".png";
  if (format == "BMP") return ending == ".bmp";
  return ending == ".ppm" || ending == ".pgm" || ending == ".pnm";
}

class Inspector {
 public:
  Inspector(const Dataset& dataset, const InspectOptions& options) : dataset_(dataset), options_(options) {}

  Inspection run() {
    for (const std::string& note : dataset_.notes) findings_.add(false, note, "");
    count();
    compare_with_published(dataset_, result_.boxes,
                           [&](bool fatal, const std::string& what) { findings_.add(fatal, what, ""); });
    if (options_.depth == InspectDepth::lists) {
      for (const Sample& sample : dataset_.samples) check_boxes(sample, sample.width, sample.height, findings_);
    } else {
      look_at_pictures();
      look_at_masks();
      look_beside_pictures();
    }
    result_.findings = findings_.take();
    return std::move(result_);
  }

 private:
  void count() {
    result_.a_class.resize(dataset_.class_ids.size());
    std::unordered_map<std::string_view, std::vector<int>> labels;
    const bool one_label = dataset_.layout != "voc";  // there a note of the reader tells how many have several
    for (const Sample& sample : dataset_.samples) {
      ++result_.a_class.at(static_cast<std::size_t>(sample.label));
      result_.with_box += !sample.boxes.empty();
      result_.boxes += sample.boxes.size();
      result_.with_mask += !sample.masks.empty();
      result_.masks += sample.masks.size();
      std::vector<int>& seen = labels[sample.id];
      if (std::find(seen.begin(), seen.end(), sample.label) != seen.end())
        findings_.add(true, "pictures listed twice under the same label", sample.id);
      else if (one_label && seen.size() == 1)
        findings_.add(false, "pictures listed under several labels", sample.id);
      seen.push_back(sample.label);
    }
    for (std::size_t label = 0; label < result_.a_class.size(); ++label)
      if (result_.a_class[label] == 0)
        findings_.add(false, "classes without a picture in this split", dataset_.class_ids[label]);
    if (result_.with_box > 0)
      for (const Sample& sample : dataset_.samples)
        if (sample.boxes.empty()) findings_.add(false, "pictures without a box, where others have one", sample.id);
    if (result_.with_mask > 0)
      for (const Sample& sample : dataset_.samples)
        if (sample.masks.empty()) findings_.add(false, "pictures without a mask, where others have one", sample.id);
  }

  void look_at_pictures() {
    std::vector<fs::path> paths;
    std::vector<std::size_t> samples;  // the first sample of each path
    std::unordered_set<std::string_view> seen;
    for (std::size_t i = 0; i < dataset_.samples.size(); ++i)
      if (seen.insert(dataset_.samples[i].id).second) {
        paths.push_back(dataset_.path(dataset_.samples[i]));
        samples.push_back(i);
      }
    const std::vector<Picture> pictures = look_at_all(paths, options_);
    std::unordered_map<std::string_view, const Picture*> by_id;
    for (std::size_t i = 0; i < pictures.size(); ++i) by_id[dataset_.samples[samples[i]].id] = &pictures[i];
    const bool none = std::all_of(pictures.begin(), pictures.end(), [](const Picture& one) { return one.missing; });
    if (none)
      findings_.add(true,
                    message("none of the ", pictures.size(), " pictures is there (the first would be ",
                            paths.front().string(), "); the lists alone are enough to score maps, acol score"),
                    "");
    for (std::size_t i = 0; i < pictures.size(); ++i) report(dataset_.samples[samples[i]], pictures[i], none);
    for (const Sample& sample : dataset_.samples) {
      const PictureInfo& info = by_id.at(sample.id)->info;
      const Size size = info.width > 0 ? seen_size(info) : Size{sample.width, sample.height};
      check_boxes(sample, size.width, size.height, findings_);
    }
    if (options_.same_content) find_same_content(samples, pictures);
  }

  // What training sees, and boxes refer to.
  Size seen_size(const PictureInfo& info) const {
    return dataset_.apply_exif && info.sideways() ? Size{info.height, info.width} : Size{info.width, info.height};
  }

  void report(const Sample& sample, const Picture& picture, bool none) {
    if (picture.missing) {
      if (!none) findings_.add(true, "pictures that are not there", sample.id);
      return;
    }
    if (!picture.error.empty()) findings_.add(true, "pictures that cannot be read", sample.id + ": " + picture.error);
    const PictureInfo& info = picture.info;
    if (info.width == 0) return;
    result_.grey += info.channels <= 2;
    const bool cmyk = info.format == "JPEG" && info.channels == 4;
    result_.cmyk += cmyk;
    ++result_.formats[info.format];
    result_.min_width = result_.read == 0 ? info.width : std::min(result_.min_width, info.width);
    result_.min_height = result_.read == 0 ? info.height : std::min(result_.min_height, info.height);
    result_.max_width = std::max(result_.max_width, info.width);
    result_.max_height = std::max(result_.max_height, info.height);
    ++result_.read;
    if (cmyk) findings_.add(false, "pictures in CMYK, read as Pillow does", sample.id);
    if (!name_fits(sample.id, info.format))
      findings_.add(false, "pictures of another format than their name says; the content counts",
                    sample.id + " is a " + info.format);
    if (info.orientation != 1)
      findings_.add(false,
                    dataset_.apply_exif ? "pictures turned as their EXIF orientation says"
                                        : "pictures with an EXIF orientation, which is ignored unless --exif is given",
                    message(sample.id, ": ", info.orientation));
    const Size seen = seen_size(info);
    if (sample.width == 0 || (sample.width == seen.width && sample.height == seen.height)) return;
    const bool turned = info.sideways() && sample.width == seen.height && sample.height == seen.width;
    const char* hint = !turned               ? ""
                       : dataset_.apply_exif ? " (before it was turned: --exif is not for this list)"
                                             : " (the EXIF orientation explains it: --exif)";
    findings_.add(true, "pictures of another size than the lists say",
                  message(sample.id, ": ", seen.width, "x", seen.height, ", in the list ", sample.width, "x",
                          sample.height, hint));
  }

  void look_at_masks() {
    std::vector<fs::path> paths;
    std::vector<std::string> names;
    std::unordered_set<std::string> seen;
    for (const Sample& sample : dataset_.samples) {
      std::vector<std::string> masks = sample.masks;
      if (!sample.ignore_mask.empty()) masks.push_back(sample.ignore_mask);
      for (const std::string& mask : masks)
        if (seen.insert(mask).second) {
          paths.push_back(dataset_.mask_path(mask));
          names.push_back(mask);
        }
    }
    InspectOptions options = options_;
    options.same_content = false;  // masks of whole pictures are alike
    const std::vector<Picture> masks = look_at_all(paths, options);
    for (std::size_t i = 0; i < masks.size(); ++i)
      if (masks[i].missing)
        findings_.add(true, "masks that are not there", names[i]);
      else if (!masks[i].error.empty())
        findings_.add(true, "masks that cannot be read", names[i] + ": " + masks[i].error);
  }

  // Where folders are classes, a picture that the reader did not take for one would be missed by nobody.
  void look_beside_pictures() {
    if (dataset_.layout != "folder") return;
    std::set<fs::path> folders;
    for (const Sample& sample : dataset_.samples) folders.insert(fs::path(sample.id).parent_path());
    for (const fs::path& folder : folders)
      for (const std::string& name : others_in(dataset_.root / folder))
        findings_.add(false, "things beside the pictures that are not called like one; passed over",
                      (folder / name).string());
  }

  void find_same_content(const std::vector<std::size_t>& samples, const std::vector<Picture>& pictures) {
    std::map<std::pair<std::size_t, std::size_t>, const Sample*> first;
    for (std::size_t i = 0; i < pictures.size(); ++i) {
      if (pictures[i].bytes == 0) continue;
      const Sample& sample = dataset_.samples[samples[i]];
      const auto [at, is_new] = first.try_emplace({pictures[i].bytes, pictures[i].hash}, &sample);
      if (is_new) continue;
      const bool same_label = at->second->label == sample.label;
      findings_.add(false,
                    same_label ? "pictures with the same content" : "pictures with the same content, but another label",
                    sample.id + " = " + at->second->id);
    }
  }

  const Dataset& dataset_;
  const InspectOptions& options_;
  Inspection result_;
  Findings findings_;
};

}  // namespace

Inspection inspect(const Dataset& dataset, const InspectOptions& options) { return Inspector(dataset, options).run(); }

Finding shared_pictures(const Dataset& a, const Dataset& b) {
  Finding finding;
  finding.what = "pictures of " + b.split + " that are also in " + a.split;
  finding.fatal = a.split == "train" || b.split == "train";
  if (a.root != b.root) return finding;
  std::unordered_set<std::string_view> of_a, reported;
  for (const Sample& sample : a.samples) of_a.insert(sample.id);
  for (const Sample& sample : b.samples)
    if (of_a.count(sample.id) > 0 && reported.insert(sample.id).second) finding.cases.push_back(sample.id);
  return finding;
}

}  // namespace acol
