"""Studies whose headers and pixels differ, entered in the ledger of a served API as a worker would."""

from __future__ import annotations

from pydicom.uid import generate_uid

from models.vocabulary import Laterality
from service.destinations import Destination
from service.domain.findings import Agreement, CorrectionKind, Reasoning, Verdict
from tests.support.api_server import Served
from tests.support.sample_findings import correction, full_field

PACS = Destination(name="pacs", ae_title="PACS", host="127.0.0.1", port=1, objects=("sr",))
SIGNED = {"actor": "Dr. A. Jones", "reason": "compared with the prior"}


def add_contradicted_study(api: Served, study_instance_uid: str | None = None, **changed: object) -> int:
    """A study with one image whose header says CC and whose pixels show MLO; the number of its correction."""
    image = full_field("L", "CC", study_instance_uid=study_instance_uid)
    api.post(image)
    api.answer(image, "L", "MLO")
    sop_instance_uid, uid = str(image.SOPInstanceUID), str(image.StudyInstanceUID)
    found = correction(sop_instance_uid, ("L", "CC"), ("L", "MLO"), view=Agreement.CONTRADICT, laterality=Agreement.AGREE)
    api.conclude(uid, [found.model_copy(update=changed)])
    return api.ledger.corrections.find(study_instance_uid=uid)[-1].id


def add_swapped_study(api: Served) -> str:
    """A study whose breasts bear each other's label, held until a person releases it; its UID."""
    study_instance_uid = generate_uid()
    images = [full_field(side, "CC", study_instance_uid=study_instance_uid) for side in "RL"]
    api.post(*images)
    found = []
    for image, declared, seen in zip(images, "RL", "LR", strict=True):
        api.answer(image, seen, "CC")
        one = correction(
            str(image.SOPInstanceUID), (declared, "CC"), (seen, "CC"), Agreement.AGREE, Agreement.CONTRADICT, CorrectionKind.SIDES_SWAPPED
        )
        found.append(one.model_copy(update={"pixel_laterality": Laterality(seen)}))
    api.conclude(study_instance_uid, found, Reasoning(verdict=Verdict.SIDES_SWAPPED, text="every image shows the other side"))
    return study_instance_uid
