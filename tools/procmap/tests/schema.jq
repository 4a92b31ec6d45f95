# SPDX-License-Identifier: GPL-2.0-only
#
# What procmap(1) promises of its JSON Lines, for jq -R -n -e: true if there is a
# line, and each is one object with the members of the manual and no others.

def is_text: type == "string";
def is_text_or_null: . == null or is_text;
def is_number_or_null: . == null or (type == "number" and . > 0);
def is_hex: is_text and test("^([0-9a-f]{2})+$");
def is_address: is_text and test("^0x[0-9a-f]{1,16}$");
def is_address_or_null: . == null or is_address;
def only($known): keys - $known == [];

# A text, and its bytes if it is not UTF-8
def has_text($key):
	has($key) and (.[$key] | is_text_or_null) and
	(if has($key + "_hex")
	 then (.[$key] | contains("\ufffd")) and (.[$key + "_hex"] | is_hex)
	 else true end);

def mapping_keys: ["start", "end", "perms", "offset", "dev", "inode",
	"page_size", "build_id", "path", "path_hex"];
def lookup_keys: ["address", "found", "file", "file_hex", "file_offset",
	"elf_address", "frames"];

def is_mapping:
	all(.start, .end, .offset; is_address) and
	(.perms | test("^[r-][w-][x-][sp]$")) and
	(.dev | test("^[0-9a-f]{2,}:[0-9a-f]{2,}$")) and
	(.inode | type == "number") and
	(if has("page_size")
	 then .page_size | type == "number" and . >= 4096 else true end) and
	(.build_id | . == null or is_hex) and
	has_text("path");

def is_frame:
	only(["function", "offset", "source", "line", "column"]) and
	has("function") and (.function | is_text_or_null) and
	(.offset | is_address_or_null) and
	has("source") and (.source | is_text_or_null) and
	all(.line, .column; is_number_or_null) and
	(.source == null) == (.line == null);

def has_file:
	if has("file") then
		has_text("file") and
		all(.file_offset, .elf_address; is_address_or_null) and
		all(.frames[]?; is_frame)
	else only(["address", "found"] + mapping_keys) end;

def is_answer:
	(.address | is_address) and
	if .found == true
	then only(lookup_keys + mapping_keys) and is_mapping and has_file
	else .found == false and only(["address", "found"]) end;

def is_line:
	type == "object" and
	if has("text") then
		only(["text", "text_hex", "answers"]) and has_text("text") and
		(.answers | type == "array" and all(.[]; is_answer))
	elif has("address") then is_answer
	else only(["pid"] + mapping_keys) and (.pid | type == "number") and
		is_mapping end;

[inputs | fromjson | is_line] | length > 0 and all
