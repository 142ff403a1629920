"""Presidio's pattern recognisers over lines `{"text"}`; runs in an environment of its own.

Writes a line of findings for each text, then how long the recognisers alone took. What finds
words around a match is Presidio's own; a blank tokenizer feeds it, since its language models
find names and places, which are not compared.
"""

import json
import logging
import sys
import time

import presidio_analyzer.predefined_recognizers as known
import spacy
from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

RECOGNIZERS = {
    "email": ["EmailRecognizer"],
    "phone": ["PhoneRecognizer"],
    "credit_card": ["CreditCardRecognizer"],
    "iban": ["IbanRecognizer"],
    "ip_address": ["IpRecognizer"],
    "mac_address": ["MacAddressRecognizer"],
    "us_ssn": ["UsSsnRecognizer"],
    "us_itin": ["UsItinRecognizer"],
    "us_mbi": ["UsMbiRecognizer"],
    "uk_nino": ["UkNinoRecognizer"],
    "uk_nhs": ["NhsRecognizer"],
    "de_tax_id": ["DeTaxIdRecognizer"],
    "it_fiscal_code": ["ItFiscalCodeRecognizer"],
    "es_dni": ["EsNifRecognizer"],
    "es_nie": ["EsNieRecognizer"],
    "pl_pesel": ["PlPeselRecognizer"],
    "fi_hetu": ["FiPersonalIdentityCodeRecognizer"],
    "se_personnummer": ["SePersonnummerRecognizer"],
    "in_aadhaar": ["InAadhaarRecognizer"],
    "in_pan": ["InPanRecognizer"],
    "au_tfn": ["AuTfnRecognizer"],
    "au_medicare": ["AuMedicareRecognizer"],
    "ca_sin": ["CaSinRecognizer"],
    "kr_rrn": ["KrRrnRecognizer"],
    "th_tnin": ["ThTninRecognizer"],
    "tr_tckn": ["TrNationalIdRecognizer"],
    "za_id": ["ZaIdNumberRecognizer"],
    "sg_nric": ["SgFinRecognizer"],
    "passport": ["UsPassportRecognizer", "DePassportRecognizer", "InPassportRecognizer"],
}


class Words(NlpEngine):
    """A blank tokenizer; a word in lower case is its own lemma."""

    def __init__(self) -> None:
        self.blank = spacy.blank("en")

    def load(self) -> None: ...

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        doc = self.blank(text)
        return NlpArtifacts(
            entities=[], tokens=doc, tokens_indices=[token.idx for token in doc],
            lemmas=[token.lower_ for token in doc], nlp_engine=self, language=language,
        )  # fmt: skip

    def process_batch(self, texts, language, batch_size=1, n_process=1, **_):  # noqa: ANN001, ANN003
        return ((text, self.process_text(text, language)) for text in texts)

    def is_stopword(self, word: str, language: str) -> bool:
        return self.blank.vocab[word].is_stop

    def is_punct(self, word: str, language: str) -> bool:
        return self.blank.vocab[word].is_punct

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


def main() -> None:
    logging.disable(logging.CRITICAL)
    ours: dict[str, str] = {}
    recognizers = []
    for kind, names in RECOGNIZERS.items():
        for name in names:
            recognizer = getattr(known, name)(supported_language="en")
            recognizers.append(recognizer)
            ours |= {entity: kind for entity in recognizer.supported_entities}
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    engine = AnalyzerEngine(registry=registry, nlp_engine=Words(), supported_languages=["en"])
    texts = [json.loads(line)["text"] for line in sys.stdin]
    for text in texts:
        found = engine.analyze(text=text, language="en", score_threshold=0.0)
        line = [{"kind": ours[f.entity_type], "start": f.start, "end": f.end, "score": f.score} for f in found]
        print(json.dumps({"findings": line}))
    for recognizer in recognizers:
        recognizer.load()
    start = time.perf_counter()
    for text in texts:
        for recognizer in recognizers:
            recognizer.analyze(text=text, entities=recognizer.supported_entities, nlp_artifacts=None)
    seconds = time.perf_counter() - start
    size = sum(len(text.encode()) for text in texts)
    print(json.dumps({"bytes": size, "rounds": 1, "seconds": seconds}))


if __name__ == "__main__":
    main()
