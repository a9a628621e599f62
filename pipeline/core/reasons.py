"""Why a record was not kept: one code and one sentence for each reason, for all domains.

Codes are fixed lower-case nouns and never hold numbers; the numbers stand in the ledger's other columns.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """A ledger reason: its name and value are the code, ``sentence`` says it to a person."""

    sentence: str

    def __new__(cls, code: str, sentence: str) -> Reason:
        member = str.__new__(cls, code)
        member._value_ = code
        member.sentence = sentence
        return member

    # damaged input (outcome `failed`)
    damaged_archive = "damaged_archive", "The archive or one of its members cannot be opened or decompressed."
    damaged_record = "damaged_record", "The record is broken: its structure cannot be read."
    truncated_file = "truncated_file", "The file ends in the middle of a record."
    invalid_json = "invalid_json", "The line is not a valid JSON object."
    invalid_xml = "invalid_xml", "The XML is broken at this place."
    invalid_encoding = "invalid_encoding", "The bytes are not text in any of the encodings that were tried."
    missing_field = "missing_field", "The record lacks a field that it must have."
    wrong_format = "wrong_format", "The file is not in the format that its name claims."
    unsafe_archive = (
        "unsafe_archive",
        "The archive goes past the limits on size, ratio, members, depth or paths.",
    )
    broken_reader = "broken_reader", "The reader broke at this place; what follows in the file was not read."
    broken_step = "broken_step", "A step broke on the record; its detail and the task's log say how."
    not_writable = "not_writable", "The text or its metadata hold something that JSON in UTF-8 cannot."
    too_complex = "too_complex", "Processing the record would exceed the limits on depth, size or growth."

    # any domain
    empty_text = "empty_text", "The record has no text."
    empty_after_cleaning = "empty_after_cleaning", "Nothing is left of the text after cleaning."
    too_short = "too_short", "The text is shorter than the minimum."
    too_long = "too_long", "The text is longer than the maximum."

    # commoncrawl
    not_a_page = "not_a_page", "The record is not a page (a request, metadata or a non-HTML response)."
    http_status = "http_status", "The server answered with an error or a redirect, not with the page."
    segmented_record = "segmented_record", "The record is one of several parts of a page, which are not put together."
    all_lines_duplicated = "all_lines_duplicated", "Every line of the page also occurs on other pages."
    language_uncertain = "language_uncertain", "No language was recognised with enough confidence."
    language_not_chosen = "language_not_chosen", "The text is in a language that the recipe does not keep."
    high_perplexity = "high_perplexity", "The language model finds the text unlike edited prose."
    not_like_references = "not_like_references", "The page does not resemble pages that Wikipedia cites."

    # c4
    page_too_long = "page_too_long", "The page has more characters than C4's limit."
    older_copy = "older_copy", "A newer copy of the same address is kept."
    lorem_ipsum = "lorem_ipsum", "The page contains placeholder text (lorem ipsum)."
    curly_brace = "curly_brace", "A sentence line of the page contains a curly brace."
    javascript_page = "javascript_page", "The page mentions javascript, and the chosen rules drop such pages."
    too_few_sentences = "too_few_sentences", "Too few sentences are left of the page."
    bad_word = "bad_word", "The page contains an entry of the list of bad words."

    # any source
    duplicate_document = "duplicate_document", "Another document with the same text is kept."
    near_duplicate = "near_duplicate", "Another document that is nearly the same is kept."
    duplicate_id = "duplicate_id", "The same record of the source was read before; the detail says where it stands."
    low_quality = "low_quality", "A classifier finds the text less like those that are wanted than the cut asks for."
    contaminated = "contaminated", "The text holds runs of words of an evaluation's texts."
    row_not_chosen = "row_not_chosen", "The row is of a kind that the recipe does not take."

    # gopher_quality; the codes of these four steps are those of datatrove's filters
    gopher_short_doc = "gopher_short_doc", "The text has too few words."
    gopher_long_doc = "gopher_long_doc", "The text has too many words."
    gopher_below_avg_threshold = "gopher_below_avg_threshold", "The words are too short on average."
    gopher_above_avg_threshold = "gopher_above_avg_threshold", "The words are too long on average."
    gopher_too_many_hashes = "gopher_too_many_hashes", "There are too many hash signs for the words."
    gopher_too_many_ellipsis = "gopher_too_many_ellipsis", "There are too many ellipses for the words."
    gopher_too_many_symbols = "gopher_too_many_symbols", "There are too many hash signs and ellipses for the words."
    gopher_too_many_bullets = "gopher_too_many_bullets", "Too many lines begin with a bullet."
    gopher_too_many_end_ellipsis = "gopher_too_many_end_ellipsis", "Too many lines end with an ellipsis."
    gopher_below_alpha_threshold = "gopher_below_alpha_threshold", "Too few of the words hold a letter."
    gopher_enough_stop_words = "gopher_enough_stop_words", "The text has too few of the commonest English words."

    # gopher_repetition
    empty = "empty", "The text has no lines that could be compared."
    dup_para_frac = "dup_para_frac", "Too many of the paragraphs are copies of others."
    dup_para_char_frac = "dup_para_char_frac", "Too much of the text lies in paragraphs that are copies of others."
    dup_line_frac = "dup_line_frac", "Too many of the lines are copies of others."
    dup_line_char_frac = "dup_line_char_frac", "Too much of the text lies in lines that are copies of others."
    top_2_gram = "top_2_gram", "Too much of the text is its commonest pair of words."
    top_3_gram = "top_3_gram", "Too much of the text is its commonest three words."
    top_4_gram = "top_4_gram", "Too much of the text is its commonest four words."
    duplicated_5_n_grams = "duplicated_5_n_grams", "Too much of the text lies in five words that come again."
    duplicated_6_n_grams = "duplicated_6_n_grams", "Too much of the text lies in six words that come again."
    duplicated_7_n_grams = "duplicated_7_n_grams", "Too much of the text lies in seven words that come again."
    duplicated_8_n_grams = "duplicated_8_n_grams", "Too much of the text lies in eight words that come again."
    duplicated_9_n_grams = "duplicated_9_n_grams", "Too much of the text lies in nine words that come again."
    duplicated_10_n_grams = "duplicated_10_n_grams", "Too much of the text lies in ten words that come again."

    # fineweb_quality
    line_punct_ratio = "line_punct_ratio", "Too few lines end with a punctuation mark."
    short_line_ratio = "short_line_ratio", "Too many of the lines are short."
    char_dup_ratio = "char_dup_ratio", "Too much of the text lies in lines that came before."
    list_ratio = "list_ratio", "There are too many line breaks for the words, as in a list."

    # urls
    domain = "domain", "The address is of a domain on the recipe's lists."
    subdomain = "subdomain", "The address is of a host on the recipe's lists."
    url = "url", "The address is on the recipe's lists."
    url_expression = "url_expression", "The address fits an expression of the recipe's lists."
    hard_blacklisted = "hard_blacklisted", "The address holds a word of the recipe's hard list."
    soft_blacklisted = "soft_blacklisted", "The address holds several words of the recipe's soft list."
    blacklisted_subword = "blacklisted_subword", "The address holds a part of a word of the recipe's list."
    missing_url = "missing_url", "The record has no address, and the recipe keeps none without."

    # github
    licence_not_chosen = "licence_not_chosen", "The repository's licence is not one that the recipe keeps."
    no_content = "no_content", "There is no content (a binary or oversized file, or a pointer to one)."
    not_a_file = "not_a_file", "The entry is a link or another repository, not a file of this one."
    empty_repository = "empty_repository", "The repository holds no commit, or its commit no file."
    extension_not_chosen = "extension_not_chosen", "The file's extension is not one that the recipe keeps."
    excluded_path = (
        "excluded_path",
        "The file's path is excluded (a licence text, a certificate, others' code).",
    )
    long_line = "long_line", "The longest line is over the limit."
    long_lines_on_average = "long_lines_on_average", "Lines are too long on average."
    few_alphanumerics = "few_alphanumerics", "Too few of the characters are letters or digits."
    few_letters_per_token = "few_letters_per_token", "There are too few letters for each token."
    generated_file = "generated_file", "A program wrote the file: it says so, or its path or form shows it."
    duplicate_file = "duplicate_file", "Another file with the same cleaned content is kept."

    # wikipedia
    redirect = "redirect", "The page is a redirect."
    other_namespace = "other_namespace", "The page is not an article (another namespace)."
    disambiguation = "disambiguation", "The page is a disambiguation page."

    # books
    no_text_file = "no_text_file", "The archive holds no text file."
    duplicate_book = "duplicate_book", "Another book holds more than the allowed share of this one's content."

    # arxiv
    no_tex = "no_tex", "The submission holds no LaTeX source (PDF only)."
    no_body = "no_body", "No body text was found in the LaTeX source."

    # stackexchange
    site_not_chosen = "site_not_chosen", "The site is not one of those that the recipe keeps."
    not_a_question = (
        "not_a_question",
        "The post is neither a question nor an answer (a wiki or moderator post).",
    )
    orphan_answer = "orphan_answer", "The answer's question is not in the dump."
    unanswered = "unanswered", "The question has no answer."
    duplicate_post = (
        "duplicate_post",
        "A post of this site with the same number was read before; the detail says where it stands.",
    )


def sentence_of(reason: str) -> str:
    """What a code of the ledger says to a person; codes of steps from outside say no more than themselves."""
    return Reason[reason].sentence if reason in Reason.__members__ else "The word of a step that is not ours."
